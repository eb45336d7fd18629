// What one replica is to the interpreter: numbered values and weights in one arena, in full vector registers.

#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>
#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace eiann {

enum Code : int32_t {
  ZERO, MATVEC, MATVEC_T, SUM, LEAK, ACTIVATE, ACTIVATE_GRADIENT, SCALE, CLAMP, SUBTRACT, MULTIPLY, ZERO_WHERE_ZERO, ZERO_UP_TO,
  SELECT, LOSS, LOSS_GRADIENT, UPDATE_ROWS, OJA, BTSP, GRADIENT_STEP_BIAS, ADD_TO, MOVE_THRESHOLD, STORE,
  CLAMP_STATE, CLAMP_WEIGHT, ZERO_DIAGONAL, NORMALIZE, MASK, CLONE, CONVOLVE, CONVOLVE_T,
  KERNEL_STEP, PER_PIXEL, MAX_POOL, MAX_POOL_GRADIENT
};

enum Activation : int32_t { LINEAR, RELU, POLYNOMIAL, SRELU, SOFTMAX, SIGMOID, TANH, SOFTPLUS, ELU, LEAKY_RELU };
enum Criterion : int32_t { MSE, BCE, CROSS_ENTROPY };

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
#elif defined(__ARM_FEATURE_FMA)
template <typename V, typename T> inline V multiply_add(V sum, V v, T x) {
  for (int k = 0; k < LANES<T>; ++k) sum[k] = std::fma(v[k], x, sum[k]);
  return sum;
}
#else
template <typename V, typename T> inline V multiply_add(V sum, V v, T x) { return sum + v * x; }
#endif

// Tables that all replicas of one size share.
struct Layout {
  const int64_t* value_offset;
  const int32_t* value_length;
  const int64_t* weight_offset;
  const int64_t* mask_offset;
  const int32_t* pre;
  const int32_t* post;
};

// From where to where a row of postsynaptic units is not silent, in whole registers.
struct Run { int begin, end; };

template <typename T> struct Replica {
  Layout layout;
  T* arena;
  const T* numbers;
  int batch;
  T loss;
  std::vector<int32_t> active;
  std::vector<Run> runs;
  std::vector<T> scratch;

  T* value(int v) const { return arena + layout.value_offset[v]; }
  int length(int v) const { return layout.value_length[v]; }
  int row(int v) const { return padded<T>(layout.value_length[v]); }
  int total(int v) const { return row(v) * batch; }
  T* weight(int w) const { return arena + layout.weight_offset[w]; }
};

}  // namespace eiann
