// One thread at a time in HDF5.
#include "h5/exclusive.h"

#include <pthread.h>

namespace pqw::h5 {
namespace {

// Never destroyed: handles may be closed late.
std::recursive_mutex& shared_mutex() {
  alignas(std::recursive_mutex) static unsigned char storage[sizeof(std::recursive_mutex)];
  static auto* mutex = new (storage) std::recursive_mutex;
  return *mutex;
}

void before_fork() { shared_mutex().lock(); }
void in_parent() { shared_mutex().unlock(); }
// The holder's number as a thread is another one in the child, which therefore starts anew.
void in_child() { new (&shared_mutex()) std::recursive_mutex; }

}  // namespace

std::unique_lock<std::recursive_mutex> exclusive() {
  static const int registered = ::pthread_atfork(before_fork, in_parent, in_child);
  (void)registered;
  return std::unique_lock(shared_mutex());
}

}  // namespace pqw::h5
