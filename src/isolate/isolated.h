// A file that is read by a child process, with the reader that this process would use itself.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "io/input_file.h"
#include "isolate/worker.h"

namespace pqw {

// How the child opens a file and what it answers.
template <class Reader>
struct IsolatedCalls {
  std::unique_ptr<Reader> (*open)(InputFile file);
  std::vector<std::byte> (*lists)(const Reader& reader);  // all but the data of tensors
  std::vector<std::byte> (*data)(const Reader& reader, std::size_t index);
};

// Errors: those of Worker, and those of the calls. What arrives is not trusted: the child may have
// been taken over.
template <class Reader>
class Isolated {
 public:
  Isolated(InputFile file, const IsolatedCalls<Reader>& calls)
      : file_(std::move(file)), worker_(file_, [this, calls](std::uint64_t request) {
          if (!reader_) reader_ = calls.open(std::move(file_));
          return request == 0 ? calls.lists(*reader_) : calls.data(*reader_, request - 1);
        }) {}

  const InputFile& file() const { return file_; }

  std::vector<std::byte> lists(std::size_t most_bytes) const { return worker_.call(0, most_bytes); }
  std::vector<std::byte> data(std::size_t index, std::size_t most_bytes) const {
    return worker_.call(index + 1, most_bytes);
  }

 private:
  InputFile file_;                  // in the child: moved to reader_
  std::unique_ptr<Reader> reader_;  // in the child only
  mutable Worker worker_;           // last: the child is a copy of what is there before it
};

}  // namespace pqw
