// Codes in the order in which the kernels read them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codecs/product/scratch.h"
#include "kernels/lookup.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// How many bits a code takes.
enum class CodeWidth { kNarrow, kWide, kLarge };  // 4, 8, 16
CodeWidth code_width(std::size_t n_centroids);

// Layout: as kernels/lookup.h says, run after run of kSweepTiles tiles, so that a sweep over a run
// reads on and on; large codes as wide ones, with uint16 in place of the bytes.
// A unit is what one element holds: the code of position u, or narrow ones of the two positions
// 8i+b and 8i+4+b for u = 4i+b. Rows and positions that only fill tiles and quads have the code 0.
class CodeTiles {
 public:
  CodeTiles(const PqWeight& weight, bool interleaved_narrow);

  CodeWidth width() const { return width_; }
  std::size_t n_rows() const { return n_rows_; }
  std::size_t n_tiles() const { return n_tiles_; }
  std::size_t n_quads() const { return n_quads_; }
  // Groups of kScaleQuads quads: the tables of a group share a scale.
  std::size_t n_quad_groups() const {
    return (n_quads_ + kernels::kScaleQuads - 1) / kernels::kScaleQuads;
  }
  std::size_t n_units() const { return n_quads_ * kernels::kQuadBytes; }
  std::size_t positions_per_quad() const { return width_ == CodeWidth::kNarrow ? 8 : 4; }
  std::size_t n_padded_positions() const { return n_quads_ * positions_per_quad(); }

  // A quad of a tile; the next quad is quad_stride(tile) bytes on. Not for large codes.
  const std::uint8_t* bytes_of(std::size_t tile, std::size_t quad) const;
  std::size_t quad_stride(std::size_t tile) const;

  // uint16[n][64] of a tile.
  void unpack_units(std::size_t tile, std::size_t first, std::size_t n, std::uint16_t* out) const;
  // The same of positions. REQUIRES: `first` and n are multiples of positions_per_quad().
  void unpack_positions(std::size_t tile, std::size_t first, std::size_t n,
                        std::uint16_t* out) const;

  // The same as bytes. Not for large codes.
  void unpack_bytes(std::size_t tile, std::size_t first, std::size_t n, std::uint8_t* out) const;

 private:
  std::size_t element_bytes() const { return width_ == CodeWidth::kLarge ? 2 : 1; }
  std::size_t offset_of(std::size_t tile, std::size_t quad) const;
  void place(std::size_t row, std::size_t position, std::uint16_t code);

  CodeWidth width_;
  bool interleaved_;
  std::size_t n_rows_;
  std::size_t n_tiles_;
  std::size_t n_quads_;
  AlignedBytes elements_;
};

// Tiles first .. end-1 in runs that lie together, or in equal parts of these if the workers are
// more than the runs.
class TileRuns {
 public:
  TileRuns(std::size_t first_tile, std::size_t end_tile, std::size_t n_workers);

  std::size_t count() const { return count_; }
  // Tiles `begin` .. end-1, at most kSweepTiles.
  struct Run {
    std::size_t begin, end;
  };
  Run operator[](std::size_t i) const {
    const std::size_t tile = (first_run_ + i) * length_;
    return {std::max(tile, first_tile_), std::min(tile + length_, end_tile_)};
  }

 private:
  std::size_t first_tile_, end_tile_, length_, first_run_, count_;
};

}  // namespace pqw
