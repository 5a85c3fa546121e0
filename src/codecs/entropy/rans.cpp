// Encodes and decodes streams of symbols by rANS.
#include "codecs/entropy/rans.h"

#include <algorithm>

namespace pqw {

RansTable::RansTable(std::span<const std::uint32_t> frequencies)
    : bits_(frequency_bits(frequencies.size())),
      symbols_(std::size_t{1} << bits_),
      ranges_(frequencies.size()) {
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    if (frequencies[i] == 0) continue;
    ranges_[i] = (frequencies[i] - 1) << 16 | first;
    std::fill_n(symbols_.begin() + first, frequencies[i], static_cast<std::uint16_t>(i));
    first += frequencies[i];
  }
  assert(first == 0 || first == symbols_.size());
  if (first == 0) ranges_[0] = static_cast<std::uint32_t>(symbols_.size() - 1) << 16;
}

void RansEncoder::put(const RansTable& table, std::size_t symbol) {
  assert(n_left_ > 0 && symbol < table.ranges_.size());
  std::uint32_t& state = states_[--n_left_ % kRansLanes];
  const std::uint32_t range = table.ranges_[symbol];
  const std::uint32_t frequency = (range >> 16) + 1;
  if (state >> (32 - table.bits_) >= frequency) {
    words_.push_back(static_cast<std::uint16_t>(state & 0xffff));
    state >>= 16;
  }
  state = (state / frequency << table.bits_) + state % frequency + (range & 0xffff);
}

std::vector<std::byte> RansEncoder::finish() && {
  assert(n_left_ == 0);
  std::reverse(words_.begin(), words_.end());
  std::vector<std::byte> stream(sizeof states_ + 2 * words_.size());
  std::memcpy(stream.data(), states_.data(), sizeof states_);
  if (!words_.empty()) {
    std::memcpy(stream.data() + sizeof states_, words_.data(), 2 * words_.size());
  }
  return stream;
}

RansDecoder::RansDecoder(std::span<const std::byte> stream) {
  states_.fill(kRansLow);
  is_malformed_ = stream.size() < sizeof states_ || stream.size() % 2 != 0;
  if (is_malformed_) return;
  std::memcpy(states_.data(), stream.data(), sizeof states_);
  at_ = stream.data() + sizeof states_;
  end_ = stream.data() + stream.size();
  for (std::uint32_t& state : states_) {
    if (state >= kRansLow) continue;
    is_malformed_ = true;
    state = kRansLow;
  }
}

const char* RansDecoder::fault() const {
  if (is_malformed_) return "the stream does not begin with eight states and whole words";
  if (is_short_) return "the stream ends before its last symbol";
  if (at_ != end_) return "the stream goes on after its last symbol";
  const bool is_whole =
      std::all_of(states_.begin(), states_.end(), [](auto state) { return state == kRansLow; });
  return is_whole ? nullptr : "the last states are not those at the start of encoding";
}

}  // namespace pqw
