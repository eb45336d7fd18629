// Products of weights and values, skipping silent units.
//
// A column's sum runs over its active units in order, however many columns, rows or vectors go together: adding 0 changes
// nothing, and partial sums that are stored and loaded again neither. So its bits do not depend on its company.

#pragma once

#include "replica.hpp"

namespace eiann {

// How many bytes of weights are worked through for all columns before the next: half of a usual second-level cache.
constexpr int64_t BLOCK_BYTES = 256 * 1024;

// Positions of the set bits of a byte.
struct Bits {
  uint8_t position[256][8];
  constexpr Bits() : position() {
    for (int mask = 0; mask < 256; ++mask)
      for (int bit = 0, found = 0; bit < 8; ++bit)
        if (mask >> bit & 1) position[mask][found++] = uint8_t(bit);
  }
};
inline constexpr Bits BITS;

// Which units of one register are not silent in one of the columns.
template <typename T> inline unsigned active_lanes(const T* const* xs, int columns, int j) {
  auto any = load<T>(xs[0] + j) != T(0);
  for (int c = 1; c < columns; ++c) any |= load<T>(xs[c] + j) != T(0);
#if defined(__AVX__)
  if constexpr (sizeof(T) == 4) return unsigned(__builtin_ia32_movmskps256(reinterpret_cast<typename Vector<T>::type>(any)));
  else return unsigned(__builtin_ia32_movmskpd256(reinterpret_cast<typename Vector<T>::type>(any)));
#else
  unsigned mask = 0;
  for (int k = 0; k < LANES<T>; ++k) mask |= unsigned(any[k] != 0) << k;
  return mask;
#endif
}

// Presynaptic units that are not silent in all of the columns; padding is silent.
template <typename T> int find_active(const T* const* xs, int columns, int pre, int32_t* active) {
  int count = 0;
  for (int j = 0; j < pre; j += LANES<T>) {
    const unsigned mask = active_lanes<T>(xs, columns, j);
    for (int k = 0; k < LANES<T>; ++k) active[count + k] = j + BITS.position[mask][k];
    count += __builtin_popcount(mask);
  }
  return count;
}

// ys += W xs for the given units, some columns and some vectors of postsynaptic units.
template <typename T, int COLUMNS, int VECTORS>
inline void product_tile(const T* const* xs, T* const* ys, const T* w, int stride, const int32_t* active, int count, int post) {
  typename Vector<T>::type sum[COLUMNS][VECTORS];
  for (int c = 0; c < COLUMNS; ++c)
    for (int v = 0; v < VECTORS; ++v) sum[c][v] = load<T>(ys[c] + post + v * LANES<T>);
  for (int k = 0; k < count; ++k) {
    const int j = active[k];
    const T* row = w + int64_t(j) * stride + post;
    typename Vector<T>::type block[VECTORS];
    for (int v = 0; v < VECTORS; ++v) block[v] = load<T>(row + v * LANES<T>);
    for (int c = 0; c < COLUMNS; ++c)
      for (int v = 0; v < VECTORS; ++v) sum[c][v] = multiply_add(sum[c][v], block[v], xs[c][j]);
  }
  for (int c = 0; c < COLUMNS; ++c)
    for (int v = 0; v < VECTORS; ++v) store<T>(ys[c] + post + v * LANES<T>, sum[c][v]);
}

// The last vectors of a row, fewer than VECTORS + 1.
template <typename T, int COLUMNS, int VECTORS>
inline void product_rest(const T* const* xs, T* const* ys, const T* w, int stride, const int32_t* active, int count, int post) {
  if constexpr (VECTORS > 0) {
    if (stride - post == VECTORS * LANES<T>) product_tile<T, COLUMNS, VECTORS>(xs, ys, w, stride, active, count, post);
    else product_rest<T, COLUMNS, VECTORS - 1>(xs, ys, w, stride, active, count, post);
  }
}

template <typename T, int COLUMNS, int VECTORS>
inline void product_columns(const T* const* xs, T* const* ys, const T* w, int stride, const int32_t* active, int count) {
  int post = 0;
  for (; post + VECTORS * LANES<T> <= stride; post += VECTORS * LANES<T>)
    product_tile<T, COLUMNS, VECTORS>(xs, ys, w, stride, active, count, post);
  product_rest<T, COLUMNS, VECTORS - 1>(xs, ys, w, stride, active, count, post);
}

// One column and long rows: four rows at a time, each read from its beginning to its end.
template <typename T> void product_rows(const T* x, T* y, const T* w, int stride, const int32_t* active, int count) {
  int k = 0;
  for (; k + 4 <= count; k += 4) {
    const T *r0 = w + int64_t(active[k]) * stride, *r1 = w + int64_t(active[k + 1]) * stride;
    const T *r2 = w + int64_t(active[k + 2]) * stride, *r3 = w + int64_t(active[k + 3]) * stride;
    const T x0 = x[active[k]], x1 = x[active[k + 1]], x2 = x[active[k + 2]], x3 = x[active[k + 3]];
    for (int i = 0; i < stride; i += LANES<T>) {
      auto sum = load<T>(y + i);
      sum = multiply_add(sum, load<T>(r0 + i), x0);
      sum = multiply_add(sum, load<T>(r1 + i), x1);
      sum = multiply_add(sum, load<T>(r2 + i), x2);
      sum = multiply_add(sum, load<T>(r3 + i), x3);
      store<T>(y + i, sum);
    }
  }
  for (; k < count; ++k) {
    const T* row = w + int64_t(active[k]) * stride;
    for (int i = 0; i < stride; i += LANES<T>) store<T>(y + i, multiply_add(load<T>(y + i), load<T>(row + i), x[active[k]]));
  }
}

template <typename T> void product(const std::vector<const T*>& xs, const std::vector<T*>& ys, const T* w, int pre, int stride, std::vector<int32_t>& active) {
  constexpr int MOST = 6;
  const int n = int(xs.size()), groups = (n + MOST - 1) / MOST, longest = pre + 2 * LANES<T>;
  for (T* y : ys) std::fill(y, y + stride, T(0));
  active.resize(std::max<size_t>(active.size(), size_t(groups) * longest + 2 * groups));
  int32_t *next = active.data() + size_t(groups) * longest, *end = next + groups;
  for (int g = 0; g < groups; ++g) {
    next[g] = 0;
    end[g] = find_active<T>(&xs[g * MOST], std::min(MOST, n - g * MOST), pre, active.data() + size_t(g) * longest);
  }
  const bool whole = groups == 1 || int64_t(pre) * stride * int64_t(sizeof(T)) <= BLOCK_BYTES;
  const int rows = whole ? pre : int(std::max<int64_t>(32, BLOCK_BYTES / (stride * int64_t(sizeof(T)))));
  for (int until = rows; until - rows < pre; until += rows)
    for (int g = 0; g < groups; ++g) {
      const int32_t* list = active.data() + size_t(g) * longest + next[g];
      int count = 0;
      if (until >= pre) count = end[g] - next[g];
      else while (next[g] + count < end[g] && list[count] < until) ++count;
      next[g] += count;
      const T* const* x = &xs[g * MOST];
      T* const* y = &ys[g * MOST];
      switch (std::min(MOST, n - g * MOST)) {
        case 1:
          if (stride > 8 * LANES<T>) product_rows<T>(x[0], y[0], w, stride, list, count);
          else product_columns<T, 1, 8>(x, y, w, stride, list, count);
          break;
        case 2: product_columns<T, 2, 6>(x, y, w, stride, list, count); break;
        case 3: product_columns<T, 3, 4>(x, y, w, stride, list, count); break;
        case 4: product_columns<T, 4, 3>(x, y, w, stride, list, count); break;
        case 5: product_columns<T, 5, 2>(x, y, w, stride, list, count); break;
        default: product_columns<T, 6, 2>(x, y, w, stride, list, count); break;
      }
    }
}

template <typename T> inline T horizontal(typename Vector<T>::type v) {
  for (int width = LANES<T> / 2; width > 0; width /= 2)
    for (int k = 0; k < width; ++k) v[k] += v[k + width];
  return v[0];
}

// Sums over the rows of some presynaptic units, as many at a time as keep the adders busy.
template <typename T, int ROWS> inline void transposed_rows(const T* u, T* y, const T* row, int stride, T factor) {
  typename Vector<T>::type sum[ROWS] = {};
  for (int i = 0; i < stride; i += LANES<T>) {
    const auto block = load<T>(u + i);
    for (int r = 0; r < ROWS; ++r) sum[r] += load<T>(row + int64_t(r) * stride + i) * block;
  }
  for (int r = 0; r < ROWS; ++r) y[r] = horizontal<T>(sum[r]) * factor;
}

template <typename T> void product_transposed(const T* u, T* y, const T* w, int pre, int stride, T factor) {
  int j = 0;
  for (; j + 8 <= pre; j += 8) transposed_rows<T, 8>(u, y + j, w + int64_t(j) * stride, stride, factor);
  for (; j < pre; ++j) transposed_rows<T, 1>(u, y + j, w + int64_t(j) * stride, stride, factor);
  for (const int end = padded<T>(pre); j < end; ++j) y[j] = 0;
}

template <typename T> bool silent(const T* x, int n) {
  for (int i = 0; i < n; ++i)
    if (x[i] != T(0)) return false;
  return true;
}

}  // namespace eiann
