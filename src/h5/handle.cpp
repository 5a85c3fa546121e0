// Ownership of HDF5's identifiers, and its return codes as exceptions.
#include "h5/handle.h"

#include <hdf5.h>
#include <pthread.h>

#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace pqw::h5 {
namespace {

static_assert(std::is_same_v<Id, hid_t> && std::is_same_v<int, herr_t>);

// The entry of the error stack nearest to the cause comes first when walking upward.
herr_t keep_first(unsigned n, const H5E_error2_t* entry, void* reason) {
  if (n == 0 && entry->desc != nullptr) *static_cast<std::string*>(reason) = entry->desc;
  return 0;
}

// Failed system calls are reported with times and addresses; only strerror's text is for people.
std::string shortened(const std::string& reason) {
  constexpr std::string_view kMarker = "error message = '";
  const std::size_t marker = reason.find(kMarker);
  if (marker == std::string::npos) return reason;
  const std::size_t begin = marker + kMarker.size();
  return reason.substr(begin, reason.find('\'', begin) - begin);
}

std::string last_reason() {
  std::string reason;
  (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason);
  (void)H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "no reason given" : shortened(reason);
}

bool set_up_process() {
  // HDF5 crashes if memory runs out while it starts; it needs about 3 MiB.
  constexpr std::size_t kMemoryToStart = std::size_t{8} << 20;
  ::operator delete(::operator new(kMemoryToStart));
  (void)H5dont_atexit();  // its handler crashes after a failed close (full disk)
  if (H5open() < 0) {
    throw Error(ErrorCode::kIo, "the HDF5 library does not start");
  }
  return true;
}

// Ready before any code runs, and never destroyed: handles may be closed late.
constinit std::recursive_mutex shared_mutex;
static_assert(std::is_trivially_destructible_v<std::recursive_mutex>);

int n_holds = 0;  // how often the thread that holds the mutex has taken it; the mutex guards this

void before_fork() { shared_mutex.lock(); }
void in_parent() { shared_mutex.unlock(); }
// The holder's number as a thread is another one in the child, which therefore starts anew.
void in_child() { new (&shared_mutex) std::recursive_mutex; }
// When the library is loaded: if a thread registered them while another one forks, the child would
// wait for that thread.
[[maybe_unused]] const int registered = ::pthread_atfork(before_fork, in_parent, in_child);

}  // namespace

Exclusive::Exclusive() : lock_(shared_mutex) {
  initialize();
  is_outermost_ = n_holds == 0;
  if (is_outermost_) {
    (void)H5Eget_auto2(H5E_DEFAULT, &print_errors_, &print_errors_to_);
    (void)H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    (void)H5PLget_loading_state(&plugins_);
    (void)H5PLset_loading_state(0);
  }
  ++n_holds;
}

Exclusive::~Exclusive() {
  --n_holds;
  if (!is_outermost_) return;
  (void)H5Eset_auto2(H5E_DEFAULT, print_errors_, print_errors_to_);
  (void)H5PLset_loading_state(plugins_);
}

Handle::~Handle() {
  if (id_ < 0) return;
  const auto lock = exclusive();
  if (closer_(id_) < 0) (void)H5Eclear2(H5E_DEFAULT);
}

Handle::Handle(Handle&& other) noexcept
    : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(closer_, other.closer_);
  return *this;
}

void Handle::close(const Subject& subject) {
  const auto lock = exclusive();
  // Given up first: HDF5 must not be asked again to close what it failed to close.
  const Id id = std::exchange(id_, -1);
  if (id >= 0) check(closer_(id), subject, "close");
}

void initialize() {
  static const bool ready = set_up_process();
  (void)ready;
}

void check(std::int64_t status, const Subject& subject, const char* action, const char* next) {
  if (status < 0)
    throw subject.error("cannot {}: {}{}{}", action, last_reason(), *next == 0 ? "" : "; ", next);
}

Handle own(Id id, Handle::Closer closer, const Subject& subject, const char* action,
           const char* next) {
  check(id, subject, action, next);
  return {id, closer};
}

}  // namespace pqw::h5
