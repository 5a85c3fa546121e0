// OpenBLAS, loaded when it is first used.
#pragma once

#include <cblas.h>
#include <lapack.h>

#include <cstddef>

namespace pqw::linear_algebra {

// The most threads of Debian's OpenBLAS. It has room for twice as many buffers.
inline constexpr std::size_t kMostBuffers = 64;

// Functions of OpenBLAS, including LAPACK. All matrices of LAPACK are column-major.
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
// OpenMP, fewer if memory is limited. The first call changes variables of the environment while it
// runs: other threads of the program should not read them at that time.
// Errors: kIo when the library is not there, or memory is limited to less than one buffer. OpenBLAS
// itself would try to allocate for ever.
const Blas& blas();

// Hold it around a call of OpenBLAS: it waits until a buffer is free and keeps OpenBLAS to one
// thread. Do not nest.
// REQUIRES: blas() has returned before.
class BlasCall {
 public:
  BlasCall() noexcept;
  ~BlasCall();
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;
};

}  // namespace pqw::linear_algebra
