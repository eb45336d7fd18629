// Interprets a program's operations, one replica after the other, all samples of a block in one call.
//
// Layout: a replica has one arena. A value is a row of units, padded with zeros to full vector registers; with a batch, one
// row per sample. A weight is stored (pre, post), the row of each presynaptic unit padded in the same way, so that products skip
// silent presynaptic units, and updates touch only the rows of active ones. Nothing here depends on the other replicas.

#include <atomic>
#include <system_error>
#include <thread>

#include "images.hpp"
#include "losses.hpp"
#include "updates.hpp"

#ifdef EIANN_PROFILE
// Cycles of each position of the code, for benchmarks/profile_step.py; one thread. What another process interrupted is left out.
#include <x86intrin.h>
struct Cycles { uint64_t total, count, least; };
extern "C" Cycles eiann_cycles[1 << 16];
Cycles eiann_cycles[1 << 16];
struct Watch {
  Cycles& cycles;
  const uint64_t start = __rdtsc();
  ~Watch() {
    const uint64_t taken = __rdtsc() - start;
    if (!cycles.count || taken < cycles.least) cycles.least = taken;
    if (taken > 10 * cycles.least + 10000) return;
    cycles.total += taken;
    ++cycles.count;
  }
};
#endif

namespace eiann {

template <typename T> void execute(Replica<T>& r, const int32_t* code, const int32_t* end, std::vector<const T*>& xs, std::vector<T*>& ys) {
  [[maybe_unused]] const int32_t* begin = code;
  while (code < end) {
#ifdef EIANN_PROFILE
    const Watch watch{eiann_cycles[code - begin]};
#endif
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
        product<T>(xs, ys, r.weight(w), r.layout.pre[w], padded<T>(r.layout.post[w]), r.active, r.columns);
        break;
      }
      case MATVEC_T: {
        // weight, factor or -1, count, dsts..., us..., values that are 0 where the product is not needed or -1...
        const int w = o[0], count = o[2];
        const T factor = o[1] < 0 ? T(1) : r.numbers[o[1]];
        std::vector<const T*>& needed = r.needed;
        xs.clear();
        ys.clear();
        needed.clear();
        for (int k = 0; k < count; ++k)
          for (int s = 0; s < r.batch; ++s) {
            const int y = o[3 + k], u = o[3 + count + k], where = o[3 + 2 * count + k];
            xs.push_back(r.value(u) + int64_t(s) * r.row(u));
            ys.push_back(r.value(y) + int64_t(s) * r.row(y));
            needed.push_back(where < 0 ? nullptr : r.value(where) + int64_t(s) * r.row(where));
          }
        product_transposed<T>(xs, ys, needed, r.weight(w), r.layout.pre[w], padded<T>(r.layout.post[w]), factor, r.active);
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
        const int n = r.total(o[0]);  // evaluation too: a linear population's reset
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
      case GRADIENT_STEP_BIAS: gradient_step_bias(r, o); break;
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
        const Finish<T> finish(r, w, o + 1);
        T* weights = r.weight(w);
        for (int j = 0; j < r.layout.pre[w]; ++j) {
          finish.apply(weights, int64_t(j) * stride, 0, stride, [](typename Vector<T>::type weight, int) { return weight; });
        }
        break;
      }
      case ZERO_DIAGONAL: {
        const int w = o[0], stride = padded<T>(r.layout.post[w]);
        for (int j = 0; j < r.layout.pre[w]; ++j) r.weight(w)[int64_t(j) * stride + j] = 0;
        break;
      }
      case NORMALIZE: normalize(r, o); break;
      case CLONE: clone(r, o); break;
      case CONVOLVE: convolve(r, o, xs, ys); break;
      case CONVOLVE_T: convolve_transposed(r, o, xs, ys); break;
      case KERNEL_STEP: kernel_step(r, o); break;
      case PER_PIXEL: per_pixel(r, o); break;
      case MAX_POOL: max_pool(r, o, false); break;
      case MAX_POOL_GRADIENT: max_pool(r, o, true); break;
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
  try {
    for (int t = 1; t < std::min(threads, items); ++t) pool.emplace_back(loop);
  } catch (const std::system_error&) {
    // No more threads are allowed here; those that there are do the rest.
  }
  loop();
  for (auto& thread : pool) thread.join();
}

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

// Train every replica on `steps` samples; order (replicas, stride) gives the row of inputs and targets of each, losses has its
// shape.
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
      losses[int64_t(index) * stride + t] = r.loss;
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

}  // namespace eiann

using eiann::Batch;

extern "C" {
void train_float(const Batch* b, const float* x, int64_t f, const float* y, int64_t c, const int64_t* o, int64_t d, int32_t n, float* l) { eiann::train<float>(*b, x, f, y, c, o, d, n, l); }
void train_double(const Batch* b, const double* x, int64_t f, const double* y, int64_t c, const int64_t* o, int64_t d, int32_t n, double* l) { eiann::train<double>(*b, x, f, y, c, o, d, n, l); }
void evaluate_float(const Batch* b, const float* x, int64_t f, int32_t n) { eiann::evaluate<float>(*b, x, f, n); }
void evaluate_double(const Batch* b, const double* x, int64_t f, int32_t n) { eiann::evaluate<double>(*b, x, f, n); }
}
