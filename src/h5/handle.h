// Owns identifiers of HDF5, lets one thread at a time use it, and turns its return codes into
// exceptions.
#pragma once

#include <cstdint>
#include <mutex>

#include "core/subject.h"

namespace pqw::h5 {

// HDF5's hid_t, so that only this module includes hdf5.h.
using Id = std::int64_t;

// Hold this lock while you work with handles. Its holder may take it again. A fork waits for it, so
// that a child never starts in the middle of an HDF5 operation. While it is held, HDF5 loads no
// plugins and prints no errors; after that, both are again as the program has them.
class Exclusive {
 public:
  Exclusive();
  ~Exclusive();
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
  bool is_outermost_;
  int (*print_errors_)(Id, void*) = nullptr;  // of the program, in this thread
  void* print_errors_to_ = nullptr;
  unsigned plugins_ = 0;
};
inline Exclusive exclusive() { return Exclusive(); }

// Closes its identifier. Whoever uses handles, or what is reached through them, holds exclusive()
// meanwhile; closing takes it by itself.
class Handle {
 public:
  using Closer = int (*)(Id);

  Handle() = default;
  Handle(Id id, Closer closer) : id_(id), closer_(closer) {}
  ~Handle();
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;

  Id id() const { return id_; }

  // Closes now and reports failure, which the destructor cannot. For everything that was written.
  void close(const Subject& subject);

 private:
  Id id_ = -1;
  Closer closer_ = nullptr;
};

// Starts HDF5, without its handler at exit. Everything that can be called first calls it; cheap
// afterwards.
void initialize();

// Throws subject.error("cannot <action>: <HDF5's reason>; <next>") for a negative status.
void check(std::int64_t status, const Subject& subject, const char* action, const char* next = "");

// As check, then takes the identifier over.
Handle own(Id id, Handle::Closer closer, const Subject& subject, const char* action,
           const char* next = "");

}  // namespace pqw::h5
