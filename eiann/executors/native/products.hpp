// Products of weights and values, skipping silent units.

#pragma once

#include "replica.hpp"

namespace eiann {

template <typename T, int COLUMNS, int VECTORS>
inline void product_tile(const T* const* xs, T* const* ys, const T* w, int stride, const int32_t* active, int count, int post) {
  typename Vector<T>::type sum[COLUMNS][VECTORS] = {};
  for (int k = 0; k < count; ++k) {
    const int j = active[k];
    const T* row = w + int64_t(j) * stride + post;
    typename Vector<T>::type block[VECTORS];
    for (int v = 0; v < VECTORS; ++v) block[v] = load<T>(row + v * LANES<T>);
    for (int c = 0; c < COLUMNS; ++c)
      for (int v = 0; v < VECTORS; ++v) sum[c][v] += block[v] * xs[c][j];
  }
  for (int c = 0; c < COLUMNS; ++c)
    for (int v = 0; v < VECTORS; ++v) store<T>(ys[c] + post + v * LANES<T>, sum[c][v]);
}

// Presynaptic units that are not silent in all of the columns.
template <typename T> int find_active(const T* const* xs, int columns, int pre, std::vector<int32_t>& active) {
  active.resize(pre + 1);
  int count = 0;
  if (columns == 1) {
    const T* x = xs[0];
    for (int j = 0; j < pre; ++j) {
      active[count] = j;
      count += x[j] != T(0);
    }
    return count;
  }
  for (int j = 0; j < pre; ++j) {
    bool any = false;
    for (int c = 0; c < columns; ++c) any |= xs[c][j] != T(0);
    active[count] = j;
    count += any;
  }
  return count;
}

template <typename T, int COLUMNS, int VECTORS>
void product_columns(const T* const* xs, T* const* ys, const T* w, int pre, int stride, std::vector<int32_t>& active) {
  const int count = find_active<T>(xs, COLUMNS, pre, active);
  int post = 0;
  for (; post + VECTORS * LANES<T> <= stride; post += VECTORS * LANES<T>)
    product_tile<T, COLUMNS, VECTORS>(xs, ys, w, stride, active.data(), count, post);
  if constexpr (VECTORS > 2)
    for (; post + 2 * LANES<T> <= stride; post += 2 * LANES<T>)
      product_tile<T, COLUMNS, 2>(xs, ys, w, stride, active.data(), count, post);
  for (; post < stride; post += LANES<T>)
    product_tile<T, COLUMNS, 1>(xs, ys, w, stride, active.data(), count, post);
}

template <typename T> void product(std::vector<const T*>& xs, std::vector<T*>& ys, const T* w, int pre, int stride, std::vector<int32_t>& active) {
  // A column's sum runs over its active units in order, however many columns go together: adding 0 changes nothing.
  size_t c = 0;
  const size_t n = xs.size();
  for (; c + 6 <= n; c += 6) product_columns<T, 6, 2>(&xs[c], &ys[c], w, pre, stride, active);
  for (; c + 3 <= n; c += 3) product_columns<T, 3, 4>(&xs[c], &ys[c], w, pre, stride, active);
  for (; c < n; ++c) product_columns<T, 1, 8>(&xs[c], &ys[c], w, pre, stride, active);
}

template <typename T> inline T horizontal(typename Vector<T>::type v) {
  T total = 0;
  for (int k = 0; k < LANES<T>; ++k) total += v[k];
  return total;
}

template <typename T> void product_transposed(const T* u, T* y, const T* w, int pre, int stride, T factor) {
  int j = 0;
  for (; j + 4 <= pre; j += 4) {
    typename Vector<T>::type sum[4] = {};
    const T* row = w + int64_t(j) * stride;
    for (int i = 0; i < stride; i += LANES<T>) {
      const auto block = load<T>(u + i);
      for (int r = 0; r < 4; ++r) sum[r] += load<T>(row + int64_t(r) * stride + i) * block;
    }
    for (int r = 0; r < 4; ++r) y[j + r] = horizontal<T>(sum[r]) * factor;
  }
  for (; j < pre; ++j) {
    typename Vector<T>::type sum = {};
    for (int i = 0; i < stride; i += LANES<T>) sum += load<T>(w + int64_t(j) * stride + i) * load<T>(u + i);
    y[j] = horizontal<T>(sum) * factor;
  }
  for (const int end = padded<T>(pre); j < end; ++j) y[j] = 0;
}

template <typename T> bool silent(const T* x, int n) {
  for (int i = 0; i < n; ++i)
    if (x[i] != T(0)) return false;
  return true;
}

}  // namespace eiann
