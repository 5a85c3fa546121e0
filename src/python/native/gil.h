// The GIL in threads that may outlive the interpreter.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <optional>

namespace pqw::python {

// When the interpreter ends, it ends daemon threads that ask for the GIL by pthread_exit, which
// unwinds their stack. Destructors and code of the library cannot be unwound so: these threads wait
// for the end of the process instead, as in Python 3.14.
template <class Ask>
void ask_for_gil(const Ask& ask) noexcept {
  try {
    ask();
  } catch (...) {
    for (;;) pause();
  }
}

// Releases the GIL for a scope.
class WithoutGil {
 public:
  WithoutGil() : thread_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    ask_for_gil([this] { PyEval_RestoreThread(thread_); });
  }
  WithoutGil(const WithoutGil&) = delete;

 private:
  PyThreadState* thread_;
};

// Holds the GIL for a scope, in any thread.
class WithGil {
 public:
  WithGil() {
    ask_for_gil([this] { acquired_.emplace(); });
  }
  WithGil(const WithGil&) = delete;

 private:
  std::optional<pybind11::gil_scoped_acquire> acquired_;
};

}  // namespace pqw::python
