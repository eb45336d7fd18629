// Changes of weights by rules and constraints.

#pragma once

#include "activations.hpp"
#include "products.hpp"

namespace eiann {

// Bounds and mask that hold for what an update touches; everything else satisfies them already.
template <typename T> struct Finish {
  using Lanes = typename Vector<T>::type;
  const T* mask;
  bool bounded;
  Lanes low, high, last_low, last_high;  // the last register of a row may hold padding, which stays 0
  int last;

  Finish(const Replica<T>& r, int w, const int32_t* o) {
    // low or -1, high or -1, whether masked
    const int post = r.layout.post[w];
    bounded = o[0] >= 0;
    const T lower = bounded ? r.numbers[o[0]] : T(0), upper = bounded ? r.numbers[o[1]] : T(0);
    low = Lanes{} + lower;
    high = Lanes{} + upper;
    last = padded<T>(post) - LANES<T>;
    for (int k = 0; k < LANES<T>; ++k) {
      last_low[k] = last + k < post ? lower : T(0);
      last_high[k] = last + k < post ? upper : T(0);
    }
    mask = o[2] ? r.arena + r.layout.mask_offset[w] : nullptr;
  }

  // What has been added to a row, for registers from begin up to end.
  template <typename Change> void apply(T* weights, int64_t row, int begin, int end, Change change) const {
    T* place = weights + row;
    if (!bounded && !mask) {
      for (int i = begin; i < end; i += LANES<T>) store<T>(place + i, change(load<T>(place + i), i));
      return;
    }
    const int full = std::min(end, last);
    if (bounded) {
      for (int i = begin; i < full; i += LANES<T>) store<T>(place + i, clamped(change(load<T>(place + i), i), low, high));
      if (end > last) store<T>(place + last, clamped(change(load<T>(place + last), last), last_low, last_high));
    } else {
      for (int i = begin; i < end; i += LANES<T>) store<T>(place + i, change(load<T>(place + i), i));
    }
    if (mask)
      for (int i = begin; i < end; i += LANES<T>) store<T>(place + i, load<T>(place + i) * load<T>(mask + row + i));
  }

  static Lanes clamped(Lanes v, Lanes lower, Lanes upper) {
    v = v < lower ? lower : v;
    return v > upper ? upper : v;
  }
};

// From where to where a postsynaptic signal is not silent, in whole registers; gaps of one register are not worth a stop.
template <typename T> void find_runs(const T* const* us, int count, int stride, std::vector<Run>& runs) {
  runs.clear();
  for (int i = 0; i < stride; i += LANES<T>) {
    if (active_lanes<T>(us, count, i) == 0) continue;
    if (!runs.empty() && i - runs.back().end <= LANES<T>) runs.back().end = i + LANES<T>;
    else runs.push_back({i, i + LANES<T>});
  }
}

template <typename T> void oja(Replica<T>& r, const int32_t* o) {
  // weight, rate, v, x
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]);
  const T rate = r.numbers[o[1]];
  const T* v = r.value(o[2]);
  const T* x = r.value(o[3]);
  find_runs<T>(&v, 1, stride, r.runs);
  for (int j = 0; j < pre; ++j) {
    T* row = r.weight(w) + int64_t(j) * stride;
    for (const Run& run : r.runs)
      for (int i = run.begin; i < run.end; i += LANES<T>) {
        const auto post = load<T>(v + i), weight = load<T>(row + i);
        store<T>(row + i, weight + rate * (post * x[j] - post * post * weight));
      }
  }
}

template <typename T> void btsp(Replica<T>& r, const int32_t* o) {
  // weight, rate, x, past_x, plus, past_plus, minus, saturation, discount, ratio, threshold, beta, c0, range, finish (3)
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]);
  const T rate = r.numbers[o[1]], top = r.numbers[o[7]], discount = r.numbers[o[8]], ratio = r.numbers[o[9]];
  const T threshold = r.numbers[o[10]], beta = r.numbers[o[11]], c0 = r.numbers[o[12]], range = r.numbers[o[13]];
  const T *x = r.value(o[2]), *past_x = r.value(o[3]);
  const T* signals[3] = {r.value(o[4]), r.value(o[5]), r.value(o[6])};
  find_runs<T>(signals, 3, stride, r.runs);
  if (r.runs.empty()) return;
  const Finish<T> finish(r, w, o + 14);
  // Depression by each presynaptic signal; that of a silent one is 0 in exact arithmetic.
  r.scratch.resize(std::max<size_t>(r.scratch.size(), 3 * size_t(pre)));
  T *q_now = r.scratch.data(), *q_past = q_now + pre, *q_later = q_past + pre;
  const T* sources[3] = {x, past_x, x};
  const T factors[3] = {1, discount, discount};
  for (int k = 0; k < 3; ++k) {
    T* __restrict q = q_now + k * int64_t(pre);
    const T* __restrict signal = sources[k];
    const T factor = factors[k];
    for (int j = 0; j < pre; ++j) {
      T z = signal[j] * factor;
      z = z > 1 ? T(1) : z;
      const T d = ratio * ((1 / (1 + exponential(-beta * (z - threshold))) - c0) / range);
      q[j] = z > 0 ? d : T(0);
    }
  }
  using Lanes = typename Vector<T>::type;
  T* weights = r.weight(w);
  for (int j = 0; j < pre; ++j) {
    const T now = x[j], past = past_x[j] * discount, later = now * discount;
    if (now == T(0) && past == T(0)) continue;
    // The change is linear in the signals and in the weight: rate * (grow - weight * shrink).
    const T grow_plus = rate * (top * (now + past)), grow_past = rate * (top * later), grow_minus = rate * now;
    const T shrink_plus = rate * (now + past + q_now[j] + q_past[j]), shrink_past = rate * (later + q_later[j]);
    const int64_t row = int64_t(j) * stride;
    for (const Run& run : r.runs)
      finish.apply(weights, row, run.begin, run.end, [&](Lanes weight, int i) {
        const Lanes plus = load<T>(signals[0] + i), past_plus = load<T>(signals[1] + i), minus = load<T>(signals[2] + i);
        const Lanes shrink = plus * shrink_plus + past_plus * shrink_past;
        return weight - weight * shrink + (plus * grow_plus + past_plus * grow_past + minus * grow_minus);
      });
  }
}

// W += rate * sum_k sign_k u_k x_k^T where a presynaptic and a postsynaptic signal meet.
template <typename T> void update_rows(Replica<T>& r, const int32_t* o) {
  // weight, rate, finish (3), count, signs..., us..., xs...
  constexpr int MOST = 32;
  using Lanes = typename Vector<T>::type;
  const int w = o[0], pre = r.layout.pre[w], stride = padded<T>(r.layout.post[w]), count = o[5];
  const T rate = r.numbers[o[1]];
  const Finish<T> finish(r, w, o + 2);
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
  find_runs<T>(us, n, stride, r.runs);
  r.active.resize(std::max<size_t>(r.active.size(), pre + 2 * LANES<T>));
  const int rows = find_active<T>(xs, n, 0, pre, r.active.data());
  T* weights = r.weight(w);
  for (int a = 0; a < rows; ++a) {
    const int j = r.active[a];
    const int64_t row = int64_t(j) * stride;
    const T* u[MOST];
    T c[MOST];
    int m = 0;
    for (int k = 0; k < n; ++k) {
      u[m] = us[k];
      c[m] = rates[k] * xs[k][j];
      m += xs[k][j] != T(0);
    }
    for (const Run& run : r.runs) {
      if (m == 1) finish.apply(weights, row, run.begin, run.end, [&](Lanes weight, int i) { return weight + c[0] * load<T>(u[0] + i); });
      else if (m == 2)
        finish.apply(weights, row, run.begin, run.end, [&](Lanes weight, int i) {
          return weight + c[0] * load<T>(u[0] + i) + c[1] * load<T>(u[1] + i);
        });
      else
        finish.apply(weights, row, run.begin, run.end, [&](Lanes weight, int i) {
          for (int k = 0; k < m; ++k) weight += c[k] * load<T>(u[k] + i);
          return weight;
        });
    }
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

// Sums of absolute values of some postsynaptic units, then their weights multiplied to the wanted sum.
template <typename T, int VECTORS> inline void normalize_tile(T* w, int pre, int stride, T scale) {
  using Lanes = typename Vector<T>::type;
  Lanes norm[VECTORS] = {};
  for (int j = 0; j < pre; ++j)
    for (int v = 0; v < VECTORS; ++v) {
      const Lanes weight = load<T>(w + int64_t(j) * stride + v * LANES<T>);
      norm[v] += weight < 0 ? -weight : weight;
    }
  for (int v = 0; v < VECTORS; ++v)
    for (int k = 0; k < LANES<T>; ++k) norm[v][k] = norm[v][k] != T(0) ? scale / norm[v][k] : scale;
  for (int j = 0; j < pre; ++j)
    for (int v = 0; v < VECTORS; ++v) {
      T* place = w + int64_t(j) * stride + v * LANES<T>;
      store<T>(place, load<T>(place) * norm[v]);
    }
}

template <typename T> void normalize(Replica<T>& r, const int32_t* o) {
  // weight, scale
  const int pre = r.layout.pre[o[0]], stride = padded<T>(r.layout.post[o[0]]);
  const T scale = r.numbers[o[1]];
  T* w = r.weight(o[0]);
  int post = 0;
  for (; post + 4 * LANES<T> <= stride; post += 4 * LANES<T>) normalize_tile<T, 4>(w + post, pre, stride, scale);
  for (; post + 2 * LANES<T> <= stride; post += 2 * LANES<T>) normalize_tile<T, 2>(w + post, pre, stride, scale);
  for (; post < stride; post += LANES<T>) normalize_tile<T, 1>(w + post, pre, stride, scale);
}

template <typename T> void clone(Replica<T>& r, const int32_t* o) {
  // weight, source, source2 or -1, factor, transpose
  const int w = o[0], pre = r.layout.pre[w], post = r.layout.post[w], stride = padded<T>(post);
  const T factor = r.numbers[o[3]];
  T* target = r.weight(w);
  const T *a = r.weight(o[1]), *b = o[2] < 0 ? nullptr : r.weight(o[2]);
  const int source_stride = padded<T>(r.layout.post[o[1]]);
  const int64_t row_step = o[4] ? 1 : source_stride, unit_step = o[4] ? source_stride : 1;
  constexpr int EDGE = 32;  // in squares, so that a transposed copy reads and writes whole cache lines
  for (int j0 = 0; j0 < pre; j0 += EDGE)
    for (int i0 = 0; i0 < post; i0 += EDGE)
      for (int j = j0; j < std::min(pre, j0 + EDGE); ++j)
        for (int i = i0; i < std::min(post, i0 + EDGE); ++i) {
          const int64_t k = j * row_step + i * unit_step;
          target[int64_t(j) * stride + i] = b ? a[k] * factor * b[k] : a[k] * factor;
        }
}

// Biases against their gradients: state, rate, pixels that share an entry, count, us... Each entry's sum runs in their order.
template <typename T> void gradient_step_bias(Replica<T>& r, const int32_t* o) {
  T* __restrict b = r.value(o[0]);
  const T rate = r.numbers[o[1]];
  const int pixels = o[2], count = o[3];
  if (pixels == 1) {
    typename Vector<T>::type minus{};
    minus -= rate;
    for (int i = 0, n = r.row(o[0]); i < n; i += LANES<T>) {
      typename Vector<T>::type sum{};
      for (int k = 0; k < count; ++k) sum += load<T>(r.value(o[4 + k]) + i);
      store<T>(b + i, multiply_add(load<T>(b + i), sum, minus));
    }
    return;
  }
  for (int i = 0, n = r.length(o[0]); i < n; ++i) {
    T sum = 0;
    for (int k = 0; k < count; ++k)
      for (int pixel = 0; pixel < pixels; ++pixel) sum += r.value(o[4 + k])[i * pixels + pixel];
    b[i] -= rate * sum;
  }
}

}  // namespace eiann
