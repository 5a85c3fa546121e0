// Unpacks files that gzip or zstd packed.
#include "formats/packed.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/subject.h"
#include "formats/expansion.h"
#include "io/spool.h"

namespace pqw {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kPiece = 256 * 1024;

struct Packing {
  std::string_view name;
  std::string_view magic;
  std::string_view extension;
};
constexpr Packing kGzip{"gzip", "\x1f\x8b"sv, ".gz"};
constexpr Packing kZstd{"zstd", "\x28\xb5\x2f\xfd"sv, ".zst"};

// Where unpacked bytes go; counts them.
class Sink {
 public:
  explicit Sink(const InputFile& file)
      : file_(file), spool_(file.path()), expansion_(file.size()) {}

  void write(std::span<const std::byte> bytes) {
    if (!expansion_.take(bytes.size())) {
      throw Subject{file_.path()}.error("unpacks to more than {} times its {} bytes", kMaxExpansion,
                                        file_.size());
    }
    spool_.write(bytes);
  }

  int release() { return spool_.release(); }

 private:
  const InputFile& file_;
  Spool spool_;
  Expansion expansion_;
};

// Calls `take` with the file, piece by piece.
template <class Take>
void for_each_piece(const InputFile& file, const Take& take) {
  for (std::uint64_t at = 0; at < file.size(); at += kPiece) {
    take(
        file.read(at, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, file.size() - at))));
  }
}

class Inflate {
 public:
  explicit Inflate(const Subject& subject) : subject_(subject) {
    constexpr int kGzipOnly = 15 + 16;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) {
      throw subject_.error(ErrorCode::kIo, "not enough memory to unpack it");
    }
  }
  ~Inflate() { inflateEnd(&stream_); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  // A file may be several members, one after the other.
  void take(std::vector<std::byte> piece, Sink& sink) {
    stream_.next_in = reinterpret_cast<Bytef*>(piece.data());
    stream_.avail_in = static_cast<uInt>(piece.size());
    for (;;) {
      if (is_complete_ && stream_.avail_in > 0) {
        inflateReset(&stream_);
        is_complete_ = false;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int status = is_complete_ ? Z_STREAM_END : inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        throw subject_.error("broken gzip data: {}",
                             stream_.msg == nullptr ? "unknown reason" : stream_.msg);
      }
      sink.write(std::span(out_).first(out_.size() - stream_.avail_out));
      is_complete_ = status == Z_STREAM_END;
      if (stream_.avail_in == 0 && stream_.avail_out > 0) return;
    }
  }

  bool is_complete() const { return is_complete_; }

 private:
  const Subject& subject_;
  z_stream stream_ = {};
  bool is_complete_ = false;
  std::vector<std::byte> out_ = std::vector<std::byte>(kPiece);
};

void unpack_gzip(const InputFile& file, const Subject& subject, Sink& sink) {
  Inflate inflate(subject);
  for_each_piece(file, [&](std::vector<std::byte> piece) { inflate.take(std::move(piece), sink); });
  if (!inflate.is_complete()) throw subject.error("the gzip data ends early");
}

void unpack_zstd(const InputFile& file, const Subject& subject, Sink& sink) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (!context) throw subject.error(ErrorCode::kIo, "not enough memory to unpack it");
  std::vector<std::byte> bytes(kPiece);
  std::size_t expected = 1;  // 0 at the end of a frame
  for_each_piece(file, [&](const std::vector<std::byte>& piece) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
      expected = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(expected) != 0) {
        throw subject.error("broken zstd data: {}", ZSTD_getErrorName(expected));
      }
      sink.write(std::span(bytes).first(out.pos));
      if (in.pos == in.size && (out.pos < out.size || expected == 0)) return;
    }
  });
  if (expected != 0) throw subject.error("the zstd data ends early");
}

// "w.npz.gz: w.npz"
std::string name_inside(const std::string& path, const Packing& packing) {
  std::string name = path.substr(path.rfind('/') + 1);
  const bool has_extension =
      name.size() > packing.extension.size() && name.ends_with(packing.extension);
  if (has_extension) name.resize(name.size() - packing.extension.size());
  return path + ": " + (has_extension ? name : "content");
}

}  // namespace

InputFile unpacked(InputFile file) {
  const Packing* packing = file.starts_with(kGzip.magic)   ? &kGzip
                           : file.starts_with(kZstd.magic) ? &kZstd
                                                           : nullptr;
  if (packing == nullptr) return file;
  const Subject subject{file.path()};
  Sink sink(file);
  if (packing == &kGzip) {
    unpack_gzip(file, subject, sink);
  } else {
    unpack_zstd(file, subject, sink);
  }
  file.require_unchanged();
  InputFile content(name_inside(file.path(), *packing), sink.release());
  if (content.starts_with("pqw archive\n")) {
    throw subject.error(ErrorCode::kUnsupported, "a pqw archive packed by {}; unpack it first",
                        packing->name);
  }
  return content;
}

}  // namespace pqw
