// Convolutions and pooling: an image is laid out as patches, then the products of dense weights do the rest.

#pragma once

#include "products.hpp"

namespace eiann {

struct Geometry {
  int in_channels, in_rows, in_columns, out_channels, out_rows, out_columns, kernel, stride, padding, dilation, groups;

  explicit Geometry(const int32_t* o)
      : in_channels(o[0]), in_rows(o[1]), in_columns(o[2]), out_channels(o[3]), out_rows(o[4]), out_columns(o[5]),
        kernel(o[6]), stride(o[7]), padding(o[8]), dilation(o[9]), groups(o[10]) {}
  static constexpr int ARGUMENTS = 11;

  int pixels() const { return out_rows * out_columns; }
  int channels() const { return in_channels / groups; }        // of the input, that one output channel sees
  int outputs() const { return out_channels / groups; }
  int window() const { return channels() * kernel * kernel; }  // weights of one output channel

  // Calls what with (row of the patches, output pixel, input pixel) for all that lie inside the image.
  template <typename What> void each(int group, What what) const {
    for (int c = 0, row = 0; c < channels(); ++c)
      for (int ky = 0; ky < kernel; ++ky)
        for (int kx = 0; kx < kernel; ++kx, ++row)
          for (int oy = 0; oy < out_rows; ++oy) {
            const int iy = oy * stride - padding + ky * dilation;
            if (iy < 0 || iy >= in_rows) continue;
            const int64_t line = (int64_t(group * channels() + c) * in_rows + iy) * in_columns - padding + kx * dilation;
            for (int ox = 0; ox < out_columns; ++ox) {
              const int ix = ox * stride - padding + kx * dilation;
              if (ix >= 0 && ix < in_columns) what(row, oy * out_columns + ox, line + ox * stride);
            }
          }
  }
};

// Scratch memory of a convolution: rows of patches, and one padded row per output channel and for its weights.
template <typename T> struct Patches {
  const Geometry g;
  const int stride, weights;
  std::vector<T> image, rows, kernels;

  explicit Patches(const Geometry& geometry)
      : g(geometry), stride(padded<T>(g.pixels())), weights(padded<T>(g.window())), image(size_t(g.window()) * stride),
        rows(size_t(g.outputs()) * stride), kernels(size_t(std::max(g.outputs(), g.window())) * std::max(weights, padded<T>(g.outputs()))) {}

  void gather(const T* x, int group) {
    if (g.padding) std::fill(image.begin(), image.end(), T(0));
    g.each(group, [&](int row, int pixel, int64_t source) { image[size_t(row) * stride + pixel] = x[source]; });
  }
  void read_rows(const T* u, int group) {
    for (int o = 0; o < g.outputs(); ++o)
      std::copy_n(u + int64_t(group * g.outputs() + o) * g.pixels(), g.pixels(), &rows[size_t(o) * stride]);
  }
  const T* kernel_of(const T* w, int group, int o) const { return w + int64_t(group * g.outputs() + o) * g.window(); }
};

template <typename T> void convolve(Replica<T>& r, const int32_t* o, std::vector<const T*>& xs, std::vector<T*>& ys) {
  // dst, weight, x, geometry
  Patches<T> p{Geometry(o + 3)};
  for (int s = 0; s < r.batch; ++s) {
    T* y = r.value(o[0]) + int64_t(s) * r.row(o[0]);
    const T* x = r.value(o[2]) + int64_t(s) * r.row(o[2]);
    for (int group = 0; group < p.g.groups; ++group) {
      p.gather(x, group);
      xs.clear();
      ys.clear();
      for (int k = 0; k < p.g.outputs(); ++k) {
        std::copy_n(p.kernel_of(r.weight(o[1]), group, k), p.g.window(), &p.kernels[size_t(k) * p.weights]);
        xs.push_back(&p.kernels[size_t(k) * p.weights]);
        ys.push_back(&p.rows[size_t(k) * p.stride]);
      }
      product<T>(xs, ys, p.image.data(), p.g.window(), p.stride, r.active, r.columns);
      for (int k = 0; k < p.g.outputs(); ++k)
        std::copy_n(ys[k], p.g.pixels(), y + int64_t(group * p.g.outputs() + k) * p.g.pixels());
    }
    std::fill(y + r.length(o[0]), y + r.row(o[0]), T(0));
  }
}

template <typename T> void convolve_transposed(Replica<T>& r, const int32_t* o, std::vector<const T*>& xs, std::vector<T*>& ys) {
  // dst, weight, u, geometry
  Patches<T> p{Geometry(o + 3)};
  const int width = padded<T>(p.g.outputs());
  T* y = r.value(o[0]);
  std::fill(y, y + r.row(o[0]), T(0));
  for (int group = 0; group < p.g.groups; ++group) {
    p.read_rows(r.value(o[2]), group);
    std::fill(p.kernels.begin(), p.kernels.end(), T(0));
    xs.clear();
    ys.clear();
    for (int row = 0; row < p.g.window(); ++row) {
      for (int k = 0; k < p.g.outputs(); ++k) p.kernels[size_t(row) * width + k] = p.kernel_of(r.weight(o[1]), group, k)[row];
      xs.push_back(&p.kernels[size_t(row) * width]);
      ys.push_back(&p.image[size_t(row) * p.stride]);
    }
    product<T>(xs, ys, p.rows.data(), p.g.outputs(), p.stride, r.active, r.columns);
    p.g.each(group, [&](int row, int pixel, int64_t source) { y[source] += p.image[size_t(row) * p.stride + pixel]; });
  }
}

// W -= rate * sum_k gradient of the kernels for us[k], the gradient of the output, and xs[k], the image.
template <typename T> void kernel_step(Replica<T>& r, const int32_t* o) {
  // weight, rate, geometry, count, us..., xs...
  Patches<T> p{Geometry(o + 2)};
  const int32_t* pairs = o + 2 + Geometry::ARGUMENTS;
  const int count = pairs[0];
  const T rate = r.numbers[o[1]];
  for (int group = 0; group < p.g.groups; ++group) {
    std::fill(p.kernels.begin(), p.kernels.end(), T(0));
    std::vector<T> parts(size_t(p.g.outputs()) * p.weights);
    const std::vector<const T*> everywhere(p.g.outputs());
    std::vector<const T*> us;
    std::vector<T*> sums;
    for (int c = 0; c < p.g.outputs(); ++c) {
      us.push_back(&p.rows[size_t(c) * p.stride]);
      sums.push_back(&parts[size_t(c) * p.weights]);
    }
    for (int k = 0; k < count; ++k) {
      p.read_rows(r.value(pairs[1 + k]), group);
      p.gather(r.value(pairs[1 + count + k]), group);
      product_transposed<T>(us, sums, everywhere, p.image.data(), p.g.window(), p.stride, T(1), r.active);
      for (size_t i = 0; i < parts.size(); ++i) p.kernels[i] += parts[i];
    }
    for (int c = 0; c < p.g.outputs(); ++c) {
      T* w = r.weight(o[0]) + int64_t(group * p.g.outputs() + c) * p.g.window();
      for (int i = 0; i < p.g.window(); ++i) w[i] -= rate * p.kernels[size_t(c) * p.weights + i];
    }
  }
}

template <typename T> void per_pixel(Replica<T>& r, const int32_t* o) {
  // dst, state, pixels
  for (int s = 0; s < r.batch; ++s) {
    T* y = r.value(o[0]) + int64_t(s) * r.row(o[0]);
    for (int i = 0; i < r.length(o[0]); ++i) y[i] = r.value(o[1])[i / o[2]];
    std::fill(y + r.length(o[0]), y + r.row(o[0]), T(0));
  }
}

// Where the largest of a window is; the first of several, and the last that is not a number, as PyTorch has it.
template <typename T> int largest(const T* x, int columns, int edge) {
  int best = 0;
  for (int dy = 0; dy < edge; ++dy)
    for (int dx = 0; dx < edge; ++dx) {
      const int i = dy * columns + dx;
      if (x[i] > x[best] || x[i] != x[i]) best = i;
    }
  return best;
}

template <typename T> void max_pool(Replica<T>& r, const int32_t* o, bool gradient) {
  // dst, x, channels, rows, columns, edge; gradient: dst, gradient, x, ...
  const int32_t* shape = o + (gradient ? 3 : 2);
  const int channels = shape[0], rows = shape[1], columns = shape[2], edge = shape[3];
  for (int s = 0; s < r.batch; ++s) {
    T* y = r.value(o[0]) + int64_t(s) * r.row(o[0]);
    const T* x = r.value(o[gradient ? 2 : 1]) + int64_t(s) * r.row(o[gradient ? 2 : 1]);
    const T* g = gradient ? r.value(o[1]) : nullptr;
    std::fill(y, y + r.row(o[0]), T(0));
    int64_t out = 0;
    for (int c = 0; c < channels; ++c)
      for (int py = 0; py < rows / edge; ++py)
        for (int px = 0; px < columns / edge; ++px, ++out) {
          const int64_t corner = (int64_t(c) * rows + py * edge) * columns + px * edge;
          const int64_t place = corner + largest(x + corner, columns, edge);
          if (gradient) y[place] += g[out];
          else y[out] = x[place];
        }
  }
}

}  // namespace eiann
