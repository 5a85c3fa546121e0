// OpenBLAS, loaded when it is first used.
#pragma once

#include <cblas.h>
#include <lapack.h>

#include <cstddef>

namespace pqw::linear_algebra {

// Threads of OpenBLAS, of which Debian's has no more; it has room for twice as many buffers.
inline constexpr std::size_t kMostBuffers = 64;

// Functions of OpenBLAS, LAPACK's among them. All matrices of LAPACK are column-major.
struct Blas {
  decltype(&::cblas_dgemm) dgemm;
  decltype(&::cblas_sgemm) sgemm;
  decltype(&::cblas_sgemv) sgemv;
  decltype(&::dgeqrf_) dgeqrf;
  decltype(&::dgesdd_) dgesdd;
  decltype(&::dgesvd_) dgesvd;
  decltype(&::dorgqr_) dorgqr;
  decltype(&::dpotrf_) dpotrf;
  decltype(&::dpotrs_) dpotrs;
  decltype(&::dsyevd_) dsyevd;
  decltype(&::openblas_get_corename) core_name;
  decltype(&::openblas_get_num_threads) get_num_threads;
  decltype(&::openblas_set_num_threads) set_num_threads;
  std::size_t n_buffers;  // calls, or threads of a call, that may run at the same time
};

// The first call loads the library, on one thread and with the kernels that suit the processor
// (unless OPENBLAS_CORETYPE names others), and has it allocate its buffers: one for each thread of
// OpenMP, fewer where memory is limited. Meanwhile it changes variables of the environment, so
// other threads of the program should not read them during the first call.
// Errors: kIo when the library is not there, or memory is limited to less than one buffer. OpenBLAS
// itself would try to allocate for ever.
const Blas& blas();

// Held around a call: keeps OpenBLAS to one thread, and waits until a buffer is free. Do not nest.
// REQUIRES: blas() has returned before.
class BlasCall {
 public:
  BlasCall() noexcept;
  ~BlasCall();
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;
};

}  // namespace pqw::linear_algebra
