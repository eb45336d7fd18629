// Vector registers: as many numbers at once as fill one, and a product with a sum that rounds once.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>
#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace eiann {

constexpr int REGISTER_BYTES = 32;

template <typename T> struct Vector;
template <> struct Vector<float> { typedef float type __attribute__((vector_size(REGISTER_BYTES))); };
template <> struct Vector<double> { typedef double type __attribute__((vector_size(REGISTER_BYTES))); };

template <typename T> constexpr int LANES = REGISTER_BYTES / sizeof(T);
template <typename T> inline int padded(int n) { return (n + LANES<T> - 1) / LANES<T> * LANES<T>; }

template <typename T> inline typename Vector<T>::type load(const T* p) {
  typename Vector<T>::type v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename T> inline void store(T* p, typename Vector<T>::type v) { std::memcpy(p, &v, sizeof v); }

// sum + v * x, rounded once wherever the processor can. Left to itself, a compiler does so in one loop and not in the next,
// and the same column would then have other bits in other company.
#if defined(__FMA__)
inline Vector<float>::type multiply_add(Vector<float>::type sum, Vector<float>::type v, float x) {
  return Vector<float>::type(_mm256_fmadd_ps(__m256(v), _mm256_set1_ps(x), __m256(sum)));
}
inline Vector<double>::type multiply_add(Vector<double>::type sum, Vector<double>::type v, double x) {
  return Vector<double>::type(_mm256_fmadd_pd(__m256d(v), _mm256_set1_pd(x), __m256d(sum)));
}
inline Vector<float>::type multiply_add(Vector<float>::type sum, Vector<float>::type v, Vector<float>::type x) {
  return Vector<float>::type(_mm256_fmadd_ps(__m256(v), __m256(x), __m256(sum)));
}
inline Vector<double>::type multiply_add(Vector<double>::type sum, Vector<double>::type v, Vector<double>::type x) {
  return Vector<double>::type(_mm256_fmadd_pd(__m256d(v), __m256d(x), __m256d(sum)));
}
#elif defined(__ARM_FEATURE_FMA)
template <typename V, typename T> inline V multiply_add(V sum, V v, T x) {
  constexpr int lanes = sizeof(V) / sizeof(v[0]);
  for (int k = 0; k < lanes; ++k) {
    if constexpr (std::is_arithmetic_v<T>) sum[k] = std::fma(v[k], x, sum[k]);
    else sum[k] = std::fma(v[k], x[k], sum[k]);
  }
  return sum;
}
#else
template <typename V, typename T> inline V multiply_add(V sum, V v, T x) { return sum + v * x; }
#endif

}  // namespace eiann
