// Products of weights and values, skipping silent units.
//
// A column's sum runs over its active units in order, however many columns, rows or vectors go together: adding 0 changes
// nothing, and partial sums that are stored and loaded again neither. So its bits do not depend on its company.

#pragma once

#include "replica.hpp"

namespace eiann {

// How many bytes of weights are worked through for all columns before the next: half of a usual second-level cache.
constexpr int64_t BLOCK_BYTES = 256 * 1024;

// From how many weights on it is looked at which units each column has.
constexpr int64_t WORTH_A_LOOK = 16 * 1024;

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

// One column and some of its active units, for VECTORS registers of postsynaptic units.
template <typename T, int VECTORS>
inline void column_tile(const int32_t* units, const T* activities, int count, T* y, const T* w, int stride) {
  typename Vector<T>::type sum[VECTORS];
  for (int v = 0; v < VECTORS; ++v) sum[v] = load<T>(y + v * LANES<T>);
  for (int k = 0; k < count; ++k) {
    const T* row = w + int64_t(units[k]) * stride;
    const T x = activities[k];
    for (int v = 0; v < VECTORS; ++v) sum[v] = multiply_add(sum[v], load<T>(row + v * LANES<T>), x);
  }
  for (int v = 0; v < VECTORS; ++v) store<T>(y + v * LANES<T>, sum[v]);
}

template <typename T, int VECTORS>
inline void column_rest(const int32_t* units, const T* activities, int count, T* y, const T* w, int stride, int vectors) {
  if constexpr (VECTORS > 0) {
    if (vectors == VECTORS) column_tile<T, VECTORS>(units, activities, count, y, w, stride);
    else column_rest<T, VECTORS - 1>(units, activities, count, y, w, stride, vectors);
  }
}

// Every column by itself: a tile of the weights stays in the first-level cache for all columns, and the next tile is fetched
// meanwhile.
template <typename T>
void product_by_column(const Columns<T>& columns, const std::vector<T*>& ys, const T* w, int pre, int stride) {
  constexpr int VECTORS = 8, ROWS = Columns<T>::ROWS, WIDTH = VECTORS * LANES<T>, LINE = 64 / sizeof(T);
  const int n = int(ys.size()), share = (ROWS + n - 1) / n;
  for (int block = 0; block < columns.blocks; ++block) {
    const int begin = block * ROWS, rows = std::min(ROWS, pre - begin);
    for (int post = 0; post < stride; post += WIDTH) {
      const int vectors = std::min(VECTORS, (stride - post) / LANES<T>);
      const bool at_end = post + WIDTH >= stride;
      const T* ahead = w + (at_end ? int64_t(begin + rows) * stride : int64_t(begin) * stride + post + WIDTH);
      const int rows_ahead = at_end ? std::min(ROWS, pre - begin - rows) : rows;
      for (int c = 0; c < n; ++c) {
        for (int j = c * share; j < std::min(rows_ahead, (c + 1) * share); ++j)
          for (int i = 0; i < WIDTH; i += LINE) __builtin_prefetch(ahead + int64_t(j) * stride + i);
        const int first = columns.begin(c, block), count = columns.begin(c, block + 1) - first;
        if (count == 0) continue;
        const int32_t* units = columns.units.data() + first;
        const T* activities = columns.activities.data() + first;
        if (vectors == VECTORS) column_tile<T, VECTORS>(units, activities, count, ys[c] + post, w + post, stride);
        else column_rest<T, VECTORS - 1>(units, activities, count, ys[c] + post, w + post, stride, vectors);
      }
    }
  }
}

template <typename T>
void product(const std::vector<const T*>& xs, const std::vector<T*>& ys, const T* w, int pre, int stride, std::vector<int32_t>& active, Columns<T>& columns) {
  constexpr int MOST = 6;
  const int n = int(xs.size()), groups = (n + MOST - 1) / MOST, longest = pre + 2 * LANES<T>;
  for (T* y : ys) std::fill(y, y + stride, T(0));
  active.resize(std::max<size_t>(active.size(), size_t(groups) * longest + 2 * groups));
  int32_t *next = active.data() + size_t(groups) * longest, *end = next + groups;
  int64_t work = 0;
  for (int g = 0; g < groups; ++g) {
    const int size = std::min(MOST, n - g * MOST);
    next[g] = 0;
    end[g] = find_active<T>(&xs[g * MOST], size, 0, pre, active.data() + size_t(g) * longest);
    work += int64_t(size) * end[g];
  }
  // Where columns by themselves have clearly less to add up than groups, whose columns all take the units that one of them has.
  if (n > 1 && int64_t(pre) * stride >= WORTH_A_LOOK && columns.find(xs, pre) * 5 < work * 4) {
    product_by_column(columns, ys, w, pre, stride);
    return;
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

// Sums over the rows of some presynaptic units, as many rows and columns at a time as keep the adders busy.
template <typename T, int ROWS, int COLUMNS>
inline void transposed_tile(const T* const* us, T* const* ys, const T* w, const int32_t* units, int stride, T factor) {
  const T* rows[ROWS];
  for (int r = 0; r < ROWS; ++r) rows[r] = w + int64_t(units[r]) * stride;
  typename Vector<T>::type sum[COLUMNS][ROWS] = {};
  for (int i = 0; i < stride; i += LANES<T>) {
    typename Vector<T>::type block[COLUMNS];
    for (int c = 0; c < COLUMNS; ++c) block[c] = load<T>(us[c] + i);
    for (int r = 0; r < ROWS; ++r) {
      const auto row = load<T>(rows[r] + i);
      for (int c = 0; c < COLUMNS; ++c) sum[c][r] = multiply_add(sum[c][r], row, block[c]);
    }
  }
  for (int c = 0; c < COLUMNS; ++c)
    for (int r = 0; r < ROWS; ++r) ys[c][units[r]] = horizontal<T>(sum[c][r]) * factor;
}

template <typename T, int COLUMNS>
inline void transposed_rows(const T* const* us, T* const* ys, const T* w, const int32_t* units, int count, int stride, T factor) {
  int k = 0;
  for (; k + 8 / COLUMNS <= count; k += 8 / COLUMNS) transposed_tile<T, 8 / COLUMNS, COLUMNS>(us, ys, w, units + k, stride, factor);
  if (COLUMNS == 1)
    for (; k + 4 <= count; k += 4) transposed_tile<T, 4, COLUMNS>(us, ys, w, units + k, stride, factor);
  for (; k < count; ++k) transposed_tile<T, 1, COLUMNS>(us, ys, w, units + k, stride, factor);
}

// ys = factor W^T us, for the presynaptic units that are not silent in needed (null: for all), 0 for the others. A few rows at a
// time for all columns, so that they come from memory once.
template <typename T>
void product_transposed(const std::vector<const T*>& us, const std::vector<T*>& ys, const std::vector<const T*>& needed, const T* w, int pre, int stride,
                        T factor, std::vector<int32_t>& units) {
  constexpr int BLOCK = 32;
  units.resize(std::max<size_t>(units.size(), BLOCK + 2 * LANES<T>));
  for (size_t c = 0; c < us.size(); ++c) std::fill(ys[c], ys[c] + padded<T>(pre), T(0));
  for (int begin = 0; begin < pre; begin += BLOCK) {
    const int end = std::min(pre, begin + BLOCK);
    for (size_t c = 0; c < us.size(); ++c) {
      if (needed[c]) {
        const int count = find_active<T>(&needed[c], 1, begin, end, units.data());
        transposed_rows<T, 1>(&us[c], &ys[c], w, units.data(), count, stride, factor);
        continue;
      }
      std::iota(units.begin(), units.begin() + (end - begin), begin);
      if (c + 1 < us.size() && !needed[c + 1]) {
        transposed_rows<T, 2>(&us[c], &ys[c], w, units.data(), end - begin, stride, factor);
        ++c;
      } else {
        transposed_rows<T, 1>(&us[c], &ys[c], w, units.data(), end - begin, stride, factor);
      }
    }
  }
}

template <typename T> bool silent(const T* x, int n) {
  for (int i = 0; i < n; ++i)
    if (x[i] != T(0)) return false;
  return true;
}

}  // namespace eiann
