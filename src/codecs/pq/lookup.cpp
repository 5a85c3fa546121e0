// A weight made ready for many multiplications.
#include "codecs/active_kernels.h"
#include "pqw/codecs/pq_lookup.h"

namespace pqw {

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::kExact:
      return "exact";
    case Precision::kHigh:
      return "high";
    case Precision::kFast:
      break;
  }
  return "fast";
}

std::optional<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    if (name == to_string(precision)) return precision;
  }
  return std::nullopt;
}

std::string_view to_string(ServeMethod method) {
  switch (method) {
    case ServeMethod::kAuto:
      return "auto";
    case ServeMethod::kLookup:
      return "lookup";
    case ServeMethod::kBatchLookup:
      return "batch lookup";
    case ServeMethod::kDecode:
      return "decode";
    case ServeMethod::kDecodeBf16:
      break;
  }
  return "decode bf16";
}

struct PqLookup::Impl {
  PqWeight weight;
  ServeOptions options;
};

PqLookup::PqLookup(const PqWeight& weight, const ServeOptions& options)
    : impl_(std::make_shared<Impl>(Impl{weight, options})) {
  active_kernels();
}

std::size_t PqLookup::rows() const { return impl_->weight.rows(); }
std::size_t PqLookup::cols() const { return impl_->weight.cols(); }

void PqLookup::multiply(ConstMatrix x, MutableMatrix y) const { multiply_rows(0, x, y); }

void PqLookup::multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  pqw::multiply_rows(impl_->weight, first, x, y);
}

ServeMethod PqLookup::method(std::size_t) const { return ServeMethod::kLookup; }

std::string PqLookup::describe(std::size_t batch) const {
  return std::string(to_string(method(batch))) + ", float32 tables, portable";
}

}  // namespace pqw
