// Loss functions and their gradients.

#pragma once

#include "activations.hpp"

namespace eiann {

template <typename T> void softmax_of(Replica<T>& r, const T* z, int n) {
  r.scratch.resize(std::max<size_t>(r.scratch.size(), n));
  softmax(z, r.scratch.data(), n);
}

template <typename T> T loss(Replica<T>& r, const int32_t* o) {
  // output, target, kind, mean, number of label smoothing or -1
  const int n = r.length(o[0]);
  const T* y = r.value(o[0]);
  const T* t = r.value(o[1]);
  T sum = 0;
  if (o[2] == CROSS_ENTROPY) {
    const T smooth = o[4] < 0 ? T(0) : r.numbers[o[4]];
    T top = y[0], total = 0;
    for (int i = 1; i < n; ++i) top = std::max(top, y[i]);
    for (int i = 0; i < n; ++i) total += std::exp(y[i] - top);
    const T shift = top + std::log(total);
    for (int i = 0; i < n; ++i) sum -= (t[i] * (1 - smooth) + smooth / n) * (y[i] - shift);
    return sum;
  }
  for (int i = 0; i < n; ++i) {
    if (o[2] == MSE) sum += (y[i] - t[i]) * (y[i] - t[i]);
    else sum -= t[i] * std::max(std::log(y[i]), T(-100)) + (1 - t[i]) * std::max(std::log(1 - y[i]), T(-100));
  }
  return o[3] ? sum / n : sum;
}

template <typename T> void loss_gradient(Replica<T>& r, const int32_t* o) {
  // dst, output, target, kind, mean, label smoothing
  const int n = r.length(o[0]);
  T* d = r.value(o[0]);
  const T* y = r.value(o[1]);
  const T* t = r.value(o[2]);
  if (o[3] == CROSS_ENTROPY) {
    const T smooth = o[5] < 0 ? T(0) : r.numbers[o[5]];
    softmax_of(r, y, n);
    T mass = 0;
    for (int i = 0; i < n; ++i) mass += t[i] * (1 - smooth) + smooth / n;
    for (int i = 0; i < n; ++i) d[i] = r.scratch[i] * mass - (t[i] * (1 - smooth) + smooth / n);
  } else {
    const T scale = o[4] ? T(1) / n : T(1);
    for (int i = 0; i < n; ++i)
      d[i] = o[3] == MSE ? 2 * (y[i] - t[i]) * scale : (y[i] - t[i]) / std::max((1 - y[i]) * y[i], T(1e-12)) * scale;
  }
  for (int i = n; i < r.row(o[0]); ++i) d[i] = 0;
}

}  // namespace eiann
