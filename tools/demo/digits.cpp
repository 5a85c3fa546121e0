// Runs a small digit classifier from its original weights, from decoded weights, and served
// straight from the codes of archives in each precision, and prints how often each is right.
//
// pqw_demo_digits IMAGES ORIGINAL ARCHIVE DECODED...
// pqw_demo_digits IMAGES MODEL    prints how many percent MODEL classifies right, and nothing else
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "pqw/pqw.h"

namespace {

using pqw::ImageShape;

void relu(std::vector<float>& values) {
  for (float& value : values) value = std::max(value, 0.0f);
}

// Largest of each 2 x 2 pixels.
std::vector<float> max_pool(const std::vector<float>& x, ImageShape& shape) {
  const ImageShape half{shape.batch, shape.channels, shape.height / 2, shape.width / 2};
  std::vector<float> y(half.size());
  std::size_t at = 0;
  for (std::size_t plane = 0; plane < shape.batch * shape.channels; ++plane) {
    for (std::size_t row = 0; row < half.height; ++row) {
      for (std::size_t column = 0; column < half.width; ++column) {
        const float* top = x.data() + (plane * shape.height + 2 * row) * shape.width + 2 * column;
        const float* bottom = top + shape.width;
        y[at++] = std::max(std::max(top[0], top[1]), std::max(bottom[0], bottom[1]));
      }
    }
  }
  shape = half;
  return y;
}

class DigitNet {
 public:
  explicit DigitNet(const pqw::Model& model, const pqw::ServeOptions& serve = {})
      : conv1_(model.conv2d("conv1.weight", "conv1.bias", {.padding = {1, 1}}, serve)),
        conv2_(model.conv2d("conv2.weight", "conv2.bias", {.padding = {1, 1}}, serve)),
        fc1_(model.linear("fc1.weight", "fc1.bias", serve)),
        fc2_(model.linear("fc2.weight", "fc2.bias", serve)) {}

  // images: float[batch][28][28] in 0..1. Returns the most likely digit of each.
  std::vector<int> classify(const std::vector<float>& images) const {
    ImageShape shape{images.size() / (28 * 28), 1, 28, 28};
    auto x = convolve(conv2_, convolve(conv1_, images, shape), shape);
    x = transform(fc1_, x, shape.batch);
    relu(x);
    x = transform(fc2_, x, shape.batch);
    std::vector<int> digits;
    for (auto row = x.begin(); row != x.end(); row += 10) {
      digits.push_back(static_cast<int>(std::max_element(row, row + 10) - row));
    }
    return digits;
  }

 private:
  static std::vector<float> convolve(const pqw::Conv2d& layer, const std::vector<float>& x,
                                     ImageShape& shape) {
    const ImageShape output = layer.output_shape(shape);
    std::vector<float> y(output.size());
    layer.forward(x, shape, y);
    relu(y);
    shape = output;
    return max_pool(y, shape);
  }

  static std::vector<float> transform(const pqw::Linear& layer, const std::vector<float>& x,
                                      std::size_t batch) {
    std::vector<float> y(batch * layer.out_features());
    layer.forward({x.data(), batch, layer.in_features()}, {y.data(), batch, layer.out_features()});
    return y;
  }

  pqw::Conv2d conv1_, conv2_;
  pqw::Linear fc1_, fc2_;
};

struct TestSet {
  std::vector<float> images;
  std::vector<int> labels;
};

TestSet read_test_set(const std::string& path) {
  const pqw::Model file(path);
  TestSet set;
  for (const std::byte pixel : file.read("images")) {
    set.images.push_back(static_cast<float>(pixel) / 255.0f);
  }
  for (const std::byte label : file.read("labels")) set.labels.push_back(static_cast<int>(label));
  return set;
}

std::size_t n_equal(const std::vector<int>& a, const std::vector<int>& b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return equal;
}

std::string percent_equal(const std::vector<int>& a, const std::vector<int>& b) {
  return fmt::format("{:.2f}%",
                     100 * static_cast<double>(n_equal(a, b)) / static_cast<double>(a.size()));
}

constexpr const char* kLine = "{:<18} {:>7} {:>6} {:>10} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}  {}\n";

void run(const std::vector<std::string>& paths) {
  const TestSet set = read_test_set(paths[0]);
  const auto expected = DigitNet(pqw::Model(paths[1])).classify(set.images);
  if (paths.size() == 2) {
    const auto n_images = static_cast<double>(set.labels.size());
    fmt::print("{}\n", 100 * static_cast<double>(n_equal(expected, set.labels)) / n_images);
    return;
  }
  fmt::print(kLine, "", "", "", "", "", "", "", "served", "", "", "served otherwise");
  fmt::print(kLine, "archive", "bytes", "ratio", "rel. error", "amplitude", "original", "decoded",
             "exact", "high", "fast", "than decoded");
  for (std::size_t i = 2; i + 1 < paths.size(); i += 2) {
    const pqw::Report report = pqw::evaluate(paths[1], paths[i]);
    const pqw::Model archive(paths[i]);
    const auto decoded = DigitNet(pqw::Model(paths[i + 1])).classify(set.images);
    std::vector<std::string> accuracies, differences;
    for (const auto precision :
         {pqw::Precision::kExact, pqw::Precision::kHigh, pqw::Precision::kFast}) {
      const DigitNet net(archive, {.precision = precision});
      const auto served = net.classify(set.images);
      accuracies.push_back(percent_equal(served, set.labels));
      differences.push_back(fmt::format("{}", served.size() - n_equal(served, decoded)));
    }
    fmt::print(kLine, std::filesystem::path(paths[i]).stem().string(), report.file_bytes,
               fmt::format("{:.2f}", report.ratio()),
               fmt::format("{:.5f}", report.distortion()->relative_error()),
               fmt::format("{:.4f}", report.distortion()->amplitude()),
               percent_equal(expected, set.labels), percent_equal(decoded, set.labels),
               accuracies[0], accuracies[1], accuracies[2],
               fmt::format("{} images", fmt::join(differences, ", ")));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> paths(argv + 1, argv + argc);
  if (paths.size() < 2 || paths.size() % 2 != 0) {
    fmt::print(stderr, "usage: pqw_demo_digits IMAGES MODEL [ARCHIVE DECODED]...\n");
    return 2;
  }
  try {
    run(paths);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "pqw_demo_digits: {}\n", error.what());
    return 1;
  }
}
