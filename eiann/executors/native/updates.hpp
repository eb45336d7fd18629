// Changes of weights by rules and constraints.

#pragma once

#include "products.hpp"

namespace eiann {

// Bounds and mask that hold for the rows an update touches; all other rows satisfy them already.
template <typename T> struct RowFinish {
  const T* mask;
  bool bounded;
  T low, high;
  int post;

  RowFinish(const Replica<T>& r, int w, const int32_t* o) {
    // low or -1, high or -1, whether masked
    bounded = o[0] >= 0;
    low = bounded ? r.numbers[o[0]] : T(0);
    high = bounded ? r.numbers[o[1]] : T(0);
    mask = o[2] ? r.arena + r.layout.mask_offset[w] : nullptr;
    post = r.layout.post[w];
  }

  void operator()(T* __restrict row, int j, int stride) const {
    if (bounded)
      for (int i = 0; i < post; ++i) { T v = row[i]; v = v < low ? low : v; row[i] = v > high ? high : v; }
    if (mask) {
      const T* __restrict m = mask + int64_t(j) * stride;
      for (int i = 0; i < stride; ++i) row[i] *= m[i];
    }
  }
};

template <typename T> void oja(Replica<T>& r, const int32_t* o) {
  // weight, rate, v, x
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]);
  const T rate = r.numbers[o[1]];
  const T* __restrict v = r.value(o[2]);
  const T* x = r.value(o[3]);
  if (silent(v, stride)) return;
  for (int j = 0; j < pre; ++j) {
    T* __restrict row = r.weight(w) + int64_t(j) * stride;
    for (int i = 0; i < stride; ++i) row[i] += rate * (v[i] * x[j] - v[i] * v[i] * row[i]);
  }
}

template <typename T> void btsp(Replica<T>& r, const int32_t* o) {
  // weight, rate, x, past_x, plus, past_plus, minus, saturation, discount, ratio, threshold, beta, c0, range, finish (3)
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]);
  const T rate = r.numbers[o[1]], top = r.numbers[o[7]], discount = r.numbers[o[8]], ratio = r.numbers[o[9]];
  const T threshold = r.numbers[o[10]], beta = r.numbers[o[11]], c0 = r.numbers[o[12]], range = r.numbers[o[13]];
  const T *x = r.value(o[2]), *past_x = r.value(o[3]);
  const T* __restrict plus = r.value(o[4]);
  const T* __restrict past_plus = r.value(o[5]);
  const T* __restrict minus = r.value(o[6]);
  const bool now = !(silent(plus, stride) && silent(minus, stride)), before = !silent(past_plus, stride);
  if (!now && !before) return;
  const RowFinish<T> finish(r, w, o + 14);
  auto depression = [&](T z) {
    z = z < 0 ? T(0) : (z > 1 ? T(1) : z);
    return (1 / (1 + std::exp(-beta * (z - threshold))) - c0) / range;
  };
  const T at_rest = depression(T(0));
  for (int j = 0; j < pre; ++j) {
    const T e = x[j], p = past_x[j] * discount;
    if (e == T(0) && p == T(0) && at_rest == T(0)) continue;
    T* __restrict row = r.weight(w) + int64_t(j) * stride;
    const T q_now = ratio * depression(e), q_past = ratio * depression(p), q_discounted = ratio * depression(e * discount);
    for (int i = 0; i < stride; ++i) {
      const T weight = row[i], room = top - weight;
      const T change = plus[i] * (room * e - weight * q_now) + plus[i] * (room * p - weight * q_past) +
                       past_plus[i] * (room * e * discount - weight * q_discounted) + minus[i] * e;
      row[i] = weight + rate * change;
    }
    finish(row, j, stride);
  }
}

// W += rate * sum_k sign_k u_k x_k^T, row by row of active presynaptic units.
template <typename T> void update_rows(Replica<T>& r, const int32_t* o) {
  // weight, rate, finish (3), count, signs..., us..., xs...
  constexpr int MOST = 32;
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]), count = o[5];
  const T rate = r.numbers[o[1]];
  const RowFinish<T> finish(r, w, o + 2);
  const T *us[MOST], *xs[MOST];
  T rates[MOST];
  int n = 0;
  for (int k = 0; k < count; ++k) {
    us[n] = r.value(o[6 + count + k]);
    if (silent(us[n], stride)) continue;
    rates[n] = rate * T(o[6 + k]);
    xs[n++] = r.value(o[6 + 2 * count + k]);
  }
  if (n == 0) return;
  for (int j = 0; j < pre; ++j) {
    T* __restrict row = r.weight(w) + int64_t(j) * stride;
    bool touched = false;
    for (int k = 0; k < n; ++k) {
      const T c = rates[k] * xs[k][j];
      if (xs[k][j] == T(0)) continue;
      touched = true;
      const T* __restrict u = us[k];
      for (int i = 0; i < stride; ++i) row[i] += c * u[i];
    }
    if (touched) finish(row, j, stride);
  }
}

// Largest errors of each sign; see eiann/executors/torch/selection.py.
template <typename T> void select(Replica<T>& r, const int32_t* o) {
  // dst, error, masked, how many of each sign
  const int n = r.length(o[0]);
  T* y = r.value(o[0]);
  const T *e = r.value(o[1]), *masked = r.value(o[2]);
  const int m = int(r.numbers[o[3]]);
  std::vector<int> positive, negative;
  for (int i = 0; i < n; ++i) {
    if (e[i] > 0) positive.push_back(i);
    if (masked[i] < 0) negative.push_back(i);
  }
  std::stable_sort(positive.begin(), positive.end(), [&](int a, int b) { return e[a] > e[b]; });
  std::stable_sort(negative.begin(), negative.end(), [&](int a, int b) { return masked[a] > masked[b]; });
  std::fill(y, y + r.row(o[0]), T(0));
  for (int k = 0; k < std::min<int>(m, positive.size()); ++k) y[positive[k]] = masked[positive[k]];
  for (int k = std::max<int>(0, int(negative.size()) - m); k < int(negative.size()); ++k) y[negative[k]] = masked[negative[k]];
}

template <typename T> void normalize(Replica<T>& r, const int32_t* o) {
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]);
  const T scale = r.numbers[o[1]];
  r.scratch.assign(std::max<size_t>(r.scratch.size(), stride), T(0));
  T* __restrict norm = r.scratch.data();
  T* weight = r.weight(w);
  for (int j = 0; j < pre; ++j) {
    const T* __restrict row = weight + int64_t(j) * stride;
    for (int i = 0; i < stride; ++i) norm[i] += row[i] < 0 ? -row[i] : row[i];
  }
  for (int i = 0; i < stride; ++i) norm[i] = norm[i] != T(0) ? scale / norm[i] : scale;
  for (int j = 0; j < pre; ++j) {
    T* __restrict row = weight + int64_t(j) * stride;
    for (int i = 0; i < stride; ++i) row[i] *= norm[i];
  }
}

template <typename T> void clone(Replica<T>& r, const int32_t* o) {
  // weight, source, source2 or -1, factor, transpose
  const int w = o[0], pre = r.layout.pre[w], post = r.layout.post[w], stride = padded<T>(post);
  const T factor = r.numbers[o[3]];
  T* target = r.weight(w);
  const T *a = r.weight(o[1]), *b = o[2] < 0 ? nullptr : r.weight(o[2]);
  const int source_stride = padded<T>(r.layout.post[o[1]]);
  for (int j = 0; j < pre; ++j)
    for (int i = 0; i < post; ++i) {
      const int64_t k = o[4] ? int64_t(i) * source_stride + j : int64_t(j) * source_stride + i;
      target[int64_t(j) * stride + i] = b ? a[k] * factor * b[k] : a[k] * factor;
    }
}

}  // namespace eiann
