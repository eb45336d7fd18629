// What one replica is to the interpreter: numbered values and weights in one arena, in full vector registers.

#pragma once

#include <atomic>
#include <thread>

#include "active.hpp"

namespace eiann {

enum Code : int32_t {
  ZERO, MATVEC, MATVEC_T, SUM, LEAK, ACTIVATE, ACTIVATE_GRADIENT, SCALE, CLAMP, SUBTRACT, MULTIPLY, ZERO_WHERE_ZERO, ZERO_UP_TO,
  SELECT, LOSS, LOSS_GRADIENT, UPDATE_ROWS, OJA, BTSP, GRADIENT_STEP_BIAS, ADD_TO, MOVE_THRESHOLD, STORE,
  CLAMP_STATE, CLAMP_WEIGHT, ZERO_DIAGONAL, NORMALIZE, MASK, CLONE, CONVOLVE, CONVOLVE_T,
  KERNEL_STEP, PER_PIXEL, MAX_POOL, MAX_POOL_GRADIENT
};

enum Activation : int32_t { LINEAR, RELU, POLYNOMIAL, SRELU, SOFTMAX, SIGMOID, TANH, SOFTPLUS, ELU, LEAKY_RELU };
enum Criterion : int32_t { MSE, BCE, CROSS_ENTROPY };

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
  Columns<T> columns;
  std::vector<Run> runs;
  std::vector<T> scratch;
  std::vector<const T*> needed;

  T* value(int v) const { return arena + layout.value_offset[v]; }
  int length(int v) const { return layout.value_length[v]; }
  int row(int v) const { return padded<T>(layout.value_length[v]); }
  int total(int v) const { return row(v) * batch; }
  T* weight(int w) const { return arena + layout.weight_offset[w]; }
};

}  // namespace eiann
