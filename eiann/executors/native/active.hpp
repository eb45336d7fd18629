// Units that are not silent.

#pragma once

#include "vectors.hpp"

namespace eiann {

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

// Presynaptic units of a range that are not silent in all of the columns. Padding is none of them: it is silent until a
// replica overflows, which leaves NaN there.
template <typename T> [[gnu::always_inline]] inline int find_active(const T* const* xs, int columns, int begin, int end, int32_t* active) {
  int count = 0;
  for (int j = begin; j < end; j += LANES<T>) {
    unsigned mask = active_lanes<T>(xs, columns, j);
    if (end - j < LANES<T>) mask &= (1u << (end - j)) - 1;
    for (int k = 0; k < LANES<T>; ++k) active[count + k] = j + BITS.position[mask][k];
    count += __builtin_popcount(mask);
  }
  return count;
}

// Active units of each of several columns by itself, in blocks of presynaptic units, with their activities.
template <typename T> struct Columns {
  static constexpr int ROWS = 64;
  std::vector<int32_t> units, starts;
  std::vector<T> activities;
  int blocks = 0;

  int begin(int column, int block) const { return starts[size_t(column) * (blocks + 1) + block]; }

  // How many there are in all columns.
  int64_t find(const std::vector<const T*>& xs, int pre) {
    const size_t n = xs.size(), longest = n * (pre + 2 * LANES<T>);
    blocks = (pre + ROWS - 1) / ROWS;
    units.resize(std::max(units.size(), longest));
    activities.resize(std::max(activities.size(), longest));
    starts.resize(std::max(starts.size(), n * (blocks + 1)));
    int count = 0;
    int32_t* start = starts.data();
    for (const T* x : xs) {
      const int first = count;
      for (int j = 0; j < pre; j += ROWS) {
        *start++ = count;
        count += find_active<T>(&x, 1, j, std::min(pre, j + ROWS), units.data() + count);
      }
      *start++ = count;
      for (int k = first; k < count; ++k) activities[k] = x[units[k]];
    }
    return count;
  }
};

}  // namespace eiann
