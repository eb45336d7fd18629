// Activation functions and their derivatives.

#pragma once

#include "replica.hpp"

namespace eiann {

// exp that the compiler can put into vector registers: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]; relative error below
// 2e-7. Double precision takes the library's.
inline double exponential(double x) { return std::exp(x); }
inline float exponential(float x) {
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  const float n = std::nearbyint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (int32_t(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

template <typename T> inline T phi(int kind, T z, T a, T b) {
  switch (kind) {
    case RELU: return z > 0 ? z : (z != z ? z : T(0));
    case POLYNOMIAL: return z > 0 ? a * std::pow(z, b) : (z != z ? z : a * std::pow(T(0), b));
    case SRELU: return z < a ? a : (z > b ? b : z);
    case SIGMOID: return T(1) / (T(1) + std::exp(-z));
    case TANH: return std::tanh(z);
    case SOFTPLUS: return z * a > b ? z : std::log1p(std::exp(z * a)) / a;
    case ELU: return z > 0 ? z : a * std::expm1(z);
    case LEAKY_RELU: return z > 0 ? z : a * z;
    default: return z;
  }
}

template <typename T> inline T phi_gradient(int kind, T z, T y, T a, T b) {
  switch (kind) {
    case RELU: return T(y > 0);
    case POLYNOMIAL: return z >= 0 ? a * b * std::pow(z, b - 1) : T(0);
    case SRELU: return T(z >= a && z <= b);
    case SIGMOID: return y * (1 - y);
    case TANH: return 1 - y * y;
    case SOFTPLUS: return z * a > b ? T(1) : T(1) / (T(1) + std::exp(-z * a));
    case ELU: return z > 0 ? T(1) : a * std::exp(z);
    case LEAKY_RELU: return z > 0 ? T(1) : a;
    default: return T(1);
  }
}

template <typename T> void softmax(const T* z, T* y, int n) {
  T top = z[0];
  for (int i = 1; i < n; ++i) top = std::max(top, z[i]);
  T sum = 0;
  for (int i = 0; i < n; ++i) sum += y[i] = std::exp(z[i] - top);
  for (int i = 0; i < n; ++i) y[i] /= sum;
}

template <typename T> void activate(Replica<T>& r, const int32_t* o) {
  // dst, state, nudge or -1, kind, numbers of two parameters or -1
  const int n = r.length(o[0]), row = r.row(o[0]), kind = o[3];
  const T a = o[4] < 0 ? T(0) : r.numbers[o[4]], b = o[5] < 0 ? T(0) : r.numbers[o[5]];
  for (int s = 0; s < r.batch; ++s) {
    T* __restrict y = r.value(o[0]) + int64_t(s) * row;
    const T* __restrict z = r.value(o[1]) + int64_t(s) * row;
    const T* __restrict nudge = o[2] < 0 ? nullptr : r.value(o[2]) + int64_t(s) * row;
    if (kind == RELU) {
      if (nudge)
        for (int i = 0; i < row; ++i) { const T v = z[i] + nudge[i]; y[i] = v < 0 ? T(0) : v; }
      else
        for (int i = 0; i < row; ++i) y[i] = z[i] < 0 ? T(0) : z[i];
      continue;
    }
    for (int i = 0; i < n; ++i) y[i] = nudge ? z[i] + nudge[i] : z[i];
    if (kind == SOFTMAX) softmax(y, y, n);
    else for (int i = 0; i < n; ++i) y[i] = phi(kind, y[i], a, b);
    for (int i = n; i < row; ++i) y[i] = 0;
  }
}

template <typename T> void activate_gradient(Replica<T>& r, const int32_t* o) {
  // dst, gradient, state, activity, kind, two parameters
  const int n = r.length(o[0]), row = r.row(o[0]), kind = o[4];
  T* __restrict y = r.value(o[0]);
  const T* __restrict g = r.value(o[1]);
  const T* __restrict z = r.value(o[2]);
  const T* __restrict x = r.value(o[3]);
  if (kind == RELU) {
    for (int i = 0; i < row; ++i) y[i] = x[i] > 0 ? g[i] : g[i] * T(0);
    return;
  }
  if (kind == SOFTMAX) {
    T dot = 0;
    for (int i = 0; i < n; ++i) dot += g[i] * x[i];
    for (int i = 0; i < n; ++i) y[i] = x[i] * (g[i] - dot);
  } else {
    const T a = o[5] < 0 ? T(0) : r.numbers[o[5]], b = o[6] < 0 ? T(0) : r.numbers[o[6]];
    for (int i = 0; i < n; ++i) y[i] = g[i] * phi_gradient(kind, z[i], x[i], a, b);
  }
  for (int i = n; i < row; ++i) y[i] = 0;
}

}  // namespace eiann
