// Interprets a program's operations, one replica after the other, all samples of a block in one call.
//
// Layout: a replica has one arena. A value is a row of units, padded with zeros to full vector registers; with a batch, one
// row per sample. A weight is stored (pre, post), the row of each presynaptic unit padded in the same way, so that products skip
// silent presynaptic units, and updates touch only the rows of active ones. Nothing here depends on the other replicas.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

enum Code : int32_t {
  ZERO, MATVEC, MATVEC_T, SUM, LEAK, ACTIVATE, ACTIVATE_GRADIENT, SCALE, CLAMP, SUBTRACT, MULTIPLY, ZERO_WHERE_ZERO, ZERO_UP_TO,
  SELECT, LOSS, LOSS_GRADIENT, UPDATE_ROWS, OJA, BTSP, GRADIENT_STEP_BIAS, ADD_TO, MOVE_THRESHOLD, STORE,
  CLAMP_STATE, CLAMP_WEIGHT, ZERO_DIAGONAL, NORMALIZE, MASK, CLONE
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

// Tables that all replicas of one size share.
struct Layout {
  const int64_t* value_offset;
  const int32_t* value_length;
  const int64_t* weight_offset;
  const int64_t* mask_offset;
  const int32_t* pre;
  const int32_t* post;
};

template <typename T> struct Replica {
  Layout layout;
  T* arena;
  const T* numbers;
  int batch;
  T loss;
  std::vector<int32_t> active;
  std::vector<T> scratch;

  T* value(int v) const { return arena + layout.value_offset[v]; }
  int length(int v) const { return layout.value_length[v]; }
  int row(int v) const { return padded<T>(layout.value_length[v]); }
  int total(int v) const { return row(v) * batch; }
  T* weight(int w) const { return arena + layout.weight_offset[w]; }
};

// ------------------------------------------------------------------------------------------------------------- products

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

// ----------------------------------------------------------------------------------------------------------- activations

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

// ---------------------------------------------------------------------------------------------------------------- losses

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

// --------------------------------------------------------------------------------------------------------------- updates

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

// Largest errors of each sign; see eiann/executors/selection.py.
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

// ------------------------------------------------------------------------------------------------------------ interpreter

template <typename T> void execute(Replica<T>& r, const int32_t* code, const int32_t* end, std::vector<const T*>& xs, std::vector<T*>& ys) {
  while (code < end) {
    const int32_t operation = code[0];
    const int32_t* o = code + 2;
    code += 2 + code[1];
    switch (operation) {
      case ZERO: std::fill(r.value(o[0]), r.value(o[0]) + r.total(o[0]), T(0)); break;
      case MATVEC: {
        // weight, count, dsts..., xs...
        const int w = o[0], count = o[1];
        xs.clear();
        ys.clear();
        for (int k = 0; k < count; ++k)
          for (int s = 0; s < r.batch; ++s) {
            xs.push_back(r.value(o[2 + count + k]) + int64_t(s) * r.row(o[2 + count + k]));
            ys.push_back(r.value(o[2 + k]) + int64_t(s) * r.row(o[2 + k]));
          }
        product<T>(xs, ys, r.weight(w), r.layout.pre[w], padded<T>(r.layout.post[w]), r.active);
        break;
      }
      case MATVEC_T: {
        // weight, factor or -1, count, dsts..., us...
        const int w = o[0], count = o[2];
        const T factor = o[1] < 0 ? T(1) : r.numbers[o[1]];
        for (int k = 0; k < count; ++k)
          for (int s = 0; s < r.batch; ++s)
            product_transposed<T>(r.value(o[3 + count + k]) + int64_t(s) * r.row(o[3 + count + k]),
                                  r.value(o[3 + k]) + int64_t(s) * r.row(o[3 + k]), r.weight(w), r.layout.pre[w],
                                  padded<T>(r.layout.post[w]), factor);
        break;
      }
      case SUM: {
        // dst, count, terms...
        T* __restrict y = r.value(o[0]);
        const int n = r.total(o[0]);
        const T* __restrict first = r.value(o[2]);
        const T* __restrict second = r.value(o[3]);
        for (int i = 0; i < n; ++i) y[i] = first[i] + second[i];
        for (int k = 2; k < o[1]; ++k) {
          const T* __restrict x = r.value(o[2 + k]);
          for (int i = 0; i < n; ++i) y[i] += x[i];
        }
        break;
      }
      case LEAK: {
        // dst, state, tau, count, terms...
        T* __restrict y = r.value(o[0]);
        const T* __restrict s = r.value(o[1]);
        const T rate = T(1) / r.numbers[o[2]];
        const int n = r.total(o[0]), count = o[3];
        const T* __restrict a = r.value(o[4]);
        if (count == 1) {
          for (int i = 0; i < n; ++i) y[i] = s[i] + (a[i] - s[i]) * rate;
        } else if (count == 2) {
          const T* __restrict b = r.value(o[5]);
          for (int i = 0; i < n; ++i) y[i] = s[i] + (a[i] - s[i] + b[i]) * rate;
        } else {
          const T* __restrict b = r.value(o[5]);
          for (int i = 0; i < n; ++i) y[i] = a[i] - s[i] + b[i];
          for (int k = 2; k < count; ++k) {
            const T* __restrict x = r.value(o[4 + k]);
            for (int i = 0; i < n; ++i) y[i] += x[i];
          }
          for (int i = 0; i < n; ++i) y[i] = s[i] + y[i] * rate;
        }
        break;
      }
      case ACTIVATE: activate(r, o); break;
      case ACTIVATE_GRADIENT: activate_gradient(r, o); break;
      case SCALE: {
        T* __restrict y = r.value(o[0]);
        const T* __restrict x = r.value(o[1]);
        const T c = r.numbers[o[2]];
        for (int i = 0, n = r.row(o[0]); i < n; ++i) y[i] = c * x[i];
        break;
      }
      case CLAMP: {
        // dst, x, has low, low, has high, high (whole numbers)
        T* __restrict y = r.value(o[0]);
        const T* __restrict x = r.value(o[1]);
        const T low = o[2] ? T(o[3]) : -T(INFINITY), high = o[4] ? T(o[5]) : T(INFINITY);
        for (int i = 0, n = r.row(o[0]); i < n; ++i) { const T v = x[i] < low ? low : x[i]; y[i] = v > high ? high : v; }
        break;
      }
      case SUBTRACT: case MULTIPLY: {
        T* __restrict y = r.value(o[0]);
        const T* __restrict a = r.value(o[1]);
        const T* __restrict b = r.value(o[2]);
        const int n = r.row(o[0]);
        if (operation == SUBTRACT) for (int i = 0; i < n; ++i) y[i] = a[i] - b[i];
        else for (int i = 0; i < n; ++i) y[i] = a[i] * b[i];
        break;
      }
      case ZERO_WHERE_ZERO: {
        T* __restrict y = r.value(o[0]);
        const T* __restrict x = r.value(o[1]);
        const T* __restrict reference = r.value(o[2]);
        for (int i = 0, n = r.row(o[0]); i < n; ++i) y[i] = reference[i] == T(0) ? T(0) : x[i];
        break;
      }
      case ZERO_UP_TO: {
        T* __restrict y = r.value(o[0]);
        const T* __restrict x = r.value(o[1]);
        const T* __restrict reference = r.value(o[2]);
        const T threshold = r.numbers[o[3]];
        for (int i = 0, n = r.row(o[0]); i < n; ++i) y[i] = reference[i] <= threshold ? T(0) : x[i];
        break;
      }
      case SELECT: select(r, o); break;
      case LOSS: r.loss = loss(r, o); break;
      case LOSS_GRADIENT: loss_gradient(r, o); break;
      case UPDATE_ROWS: update_rows(r, o); break;
      case OJA: oja(r, o); break;
      case BTSP: btsp(r, o); break;
      case GRADIENT_STEP_BIAS: {
        // state, rate, count, us...
        T* __restrict b = r.value(o[0]);
        const T rate = r.numbers[o[1]];
        const int n = r.length(o[0]);
        for (int i = 0; i < n; ++i) {
          T sum = 0;
          for (int k = 0; k < o[2]; ++k) sum += r.value(o[3 + k])[i];
          b[i] -= rate * sum;
        }
        break;
      }
      case ADD_TO: {
        T* __restrict s = r.value(o[0]);
        const T* __restrict x = r.value(o[2]);
        const T rate = r.numbers[o[1]];
        for (int i = 0, n = r.row(o[0]); i < n; ++i) s[i] += rate * x[i];
        break;
      }
      case MOVE_THRESHOLD: {
        T* __restrict s = r.value(o[0]);
        const T* __restrict a = r.value(o[1]);
        const T k = r.numbers[o[2]], tau = r.numbers[o[3]];
        for (int i = 0, n = r.length(o[0]); i < n; ++i) s[i] += (-s[i] + a[i] * a[i] / k) / tau;
        break;
      }
      case STORE: std::copy(r.value(o[1]), r.value(o[1]) + r.row(o[0]), r.value(o[0])); break;
      case CLAMP_STATE: {
        T* s = r.value(o[0]);
        const T low = r.numbers[o[1]], high = r.numbers[o[2]];
        for (int i = 0, n = r.length(o[0]); i < n; ++i) { const T v = s[i] < low ? low : s[i]; s[i] = v > high ? high : v; }
        break;
      }
      case CLAMP_WEIGHT: case MASK: {
        // weight, finish (3)
        const int w = o[0], stride = padded<T>(r.layout.post[w]);
        const RowFinish<T> finish(r, w, o + 1);
        for (int j = 0; j < r.layout.pre[w]; ++j) finish(r.weight(w) + int64_t(j) * stride, j, stride);
        break;
      }
      case ZERO_DIAGONAL: {
        const int w = o[0], stride = padded<T>(r.layout.post[w]);
        for (int j = 0; j < r.layout.pre[w]; ++j) r.weight(w)[int64_t(j) * stride + j] = 0;
        break;
      }
      case NORMALIZE: normalize(r, o); break;
      case CLONE: clone(r, o); break;
    }
  }
}

template <typename Work> void spread(int items, int threads, Work work) {
  if (threads <= 1 || items <= 1) {
    for (int i = 0; i < items; ++i) work(i);
    return;
  }
  std::atomic<int> next(0);
  auto loop = [&] { for (int i = next++; i < items; i = next++) work(i); };
  std::vector<std::thread> pool;
  for (int t = 1; t < std::min(threads, items); ++t) pool.emplace_back(loop);
  loop();
  for (auto& thread : pool) thread.join();
}

}  // namespace

// What a call needs of a batch of replicas; mirrored in eiann/executors/native/library.py.
struct Batch {
  const int32_t* code;
  int64_t code_length;
  int32_t replicas;
  int32_t values;
  int32_t weights;
  int32_t numbers;
  const int32_t* layout;           // of each replica
  const int64_t* value_offset;     // (layouts, values)
  const int32_t* value_length;
  const int64_t* weight_offset;    // (layouts, weights)
  const int64_t* mask_offset;
  const int32_t* pre;
  const int32_t* post;
  void* const* arena;              // of each replica
  const void* number;              // (replicas, numbers)
  int32_t input;                   // values that receive a sample
  int32_t target;
  int32_t threads;
};

template <typename T> Replica<T> replica(const Batch& b, int index, int batch) {
  const int64_t l = b.layout[index];
  Replica<T> r;
  r.layout = {b.value_offset + l * b.values, b.value_length + l * b.values, b.weight_offset + l * b.weights,
              b.mask_offset + l * b.weights, b.pre + l * b.weights, b.post + l * b.weights};
  r.arena = static_cast<T*>(b.arena[index]);
  r.numbers = static_cast<const T*>(b.number) + int64_t(index) * b.numbers;
  r.batch = batch;
  r.loss = 0;
  return r;
}

// Train every replica on `steps` samples; order (replicas, stride) gives the row of inputs and targets of each.
template <typename T>
void train(const Batch& b, const T* inputs, int64_t features, const T* targets, int64_t classes, const int64_t* order, int64_t stride, int32_t steps, T* losses) {
  spread(b.replicas, b.threads, [&](int index) {
    Replica<T> r = replica<T>(b, index, 1);
    std::vector<const T*> xs;
    std::vector<T*> ys;
    for (int t = 0; t < steps; ++t) {
      const int64_t sample = order[int64_t(index) * stride + t];
      std::copy(inputs + sample * features, inputs + (sample + 1) * features, r.value(b.input));
      std::copy(targets + sample * classes, targets + (sample + 1) * classes, r.value(b.target));
      execute(r, b.code, b.code + b.code_length, xs, ys);
      losses[int64_t(index) * steps + t] = r.loss;
    }
  });
}

// Run the forward phase of every replica on `rows` samples that all replicas share.
template <typename T> void evaluate(const Batch& b, const T* inputs, int64_t features, int32_t rows) {
  spread(b.replicas, b.threads, [&](int index) {
    Replica<T> r = replica<T>(b, index, rows);
    std::vector<const T*> xs;
    std::vector<T*> ys;
    for (int s = 0; s < rows; ++s)
      std::copy(inputs + s * features, inputs + (s + 1) * features, r.value(b.input) + int64_t(s) * r.row(b.input));
    execute(r, b.code, b.code + b.code_length, xs, ys);
  });
}

extern "C" {
void train_float(const Batch* b, const float* x, int64_t f, const float* y, int64_t c, const int64_t* o, int64_t d, int32_t n, float* l) { train<float>(*b, x, f, y, c, o, d, n, l); }
void train_double(const Batch* b, const double* x, int64_t f, const double* y, int64_t c, const int64_t* o, int64_t d, int32_t n, double* l) { train<double>(*b, x, f, y, c, o, d, n, l); }
void evaluate_float(const Batch* b, const float* x, int64_t f, int32_t n) { evaluate<float>(*b, x, f, n); }
void evaluate_double(const Batch* b, const double* x, int64_t f, int32_t n) { evaluate<double>(*b, x, f, n); }
}
