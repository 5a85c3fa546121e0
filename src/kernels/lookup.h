// The inner loops of products with integer tables, for one row of x at a time or many.
//
// A table of a position holds the products of a block of x with all its centroids, as integers of
// 16 or 8 bits with a common scale; a row of y is the sum of the entries that its codes pick. Sums
// are integers as long as the scale is the same; then the same two float operations follow
// everywhere. So the results of all instruction sets are bit-identical.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// Layout of the codes. Rows of W stand in tiles, code bytes in quads of four:
// uint8[quads][tiles][256] for every kSweepTiles tiles. The 256 bytes are the kQuadBytes code bytes
// of kTileRows rows, byte b of row r at b * 64 + r, or at r * 4 + b when `interleaved`. A wide byte
// is the code of one position. A narrow byte of quad i has the code of position 8i+b in its low and
// that of position 8i+4+b in its high four bits.
constexpr std::size_t kTileRows = 64;
constexpr std::size_t kQuadBytes = 4;
constexpr std::size_t kTileBytes = kTileRows * kQuadBytes;

// Quads whose tables share a scale: a group. 32 bytes, or 64 half bytes, of at most 255 fit 16
// bits.
constexpr std::size_t kScaleQuads = 8;

// Tiles that are swept at a time: their sums, the tables of a quad and the codes fetched ahead fit
// the L1 cache, and their codes of a quad are a page.
constexpr std::size_t kSweepTiles = 16;

// How many bytes before their use codes are fetched: into the L2 cache, whose queue of requests
// keeps memory at its full speed, and from there into the L1 cache.
constexpr std::size_t kFetchFar = 32768;
constexpr std::size_t kFetchAhead = 4096;

constexpr std::size_t kWideCentroids = 256;
constexpr std::size_t kNarrowCentroids = 16;

// The input of a table. x and centroids are integers; their products and the sums of these stay
// 2^15 below the limits of int32. An entry is (Σ_j x_j c_j + 2^15) >> 16, in int16.
struct TableInput {
  const std::int16_t* x;                 // int16[n_positions][2 * n_pairs]
  const std::int16_t* const* centroids;  // of each position, in the order of `centroid_place`
  std::size_t n_positions;               // a multiple of the positions of a quad
  std::size_t n_pairs;                   // pairs of columns of a block of x
};

// The place of column j of centroid k in the int16 of a codebook with 2 * n_pairs columns, for
// kernels of `lanes` lanes: [runs of 2 * lanes centroids][pairs][odd k][lane][odd j].
constexpr std::size_t centroid_place(std::size_t k, std::size_t j, std::size_t n_pairs,
                                     std::size_t lanes) {
  const std::size_t run = k / (2 * lanes);
  const std::size_t within = k % (2 * lanes);
  return (((run * n_pairs + j / 2) * 2 + within % 2) * lanes + within / 2) * 2 + j % 2;
}

// Template parameters of the kernels.
enum class Codes { kNarrow, kWide };     // 4 bits, two in a byte; 8 bits
enum class Entries { k8Bits, k16Bits };  // of a table

// The inner loops for entries of 16 or 8 bits and wide or narrow codes.
struct LookupKernel {
  std::size_t quad_table_bytes;

  // Builds the tables of a group, in a layout of the kernel's own. Tables are aligned to 64 bytes,
  // and their size is a multiple of 64. Returns b, where the entries of 8 bits are the entries of
  // 16 bits times b / 2^15, rounded; 2^15 for tables of 16 bits. `words` has room for n_positions
  // times 256 or 16 values, aligned to 64 bytes.
  std::int32_t (*build)(const TableInput& input, std::uint16_t* words, std::uint8_t* tables);

  // Adds the entries of a group, times scale, to `sums`: float[n_tiles][64], the 64 in an order of
  // the kernel's own. The codes of the next quad are quad_stride bytes on.
  // `scratch` has kSweepTiles * kScratchBytes bytes. REQUIRES: n_quads <= kScaleQuads,
  // n_tiles <= kSweepTiles.
  void (*sweep)(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                std::size_t n_tiles, const std::uint8_t* tables, float scale, std::uint8_t* scratch,
                float* sums);

  // Brings the sums of a tile into the order of the rows.
  void (*order)(const float* sums, float* rows);

  // Cycles of one thread, for the choice of a method; measured by scripts/bench kernels.
  struct Cycles {
    float sweep_per_tile_byte;  // a code byte of the 64 rows of a tile
    float build_per_entry;      // from blocks of 8 columns
  } cycles;
};
constexpr std::size_t kScratchBytes = 512;  // of a tile

// Many rows of x at a time, wide codes: the entries of a centroid for all of them stand side by
// side, and looking up is adding a vector from memory. Entries have 11 bits, so that the sums of a
// group fit the 16 bits of a word.
struct BatchLookupKernel {
  std::size_t rows;          // of x, side by side
  std::size_t vector_words;  // rows in one vector

  // table[k][row] = (Σ_j x_j c_j + 2^15) >> 16, modulo 2^16, of one position.
  // x: int16[n_pairs][rows / vector_words][odd row][vector_words / 2][odd j];
  // centroids: int16[n_centroids][n_pairs][odd j]. REQUIRES: |Σ_j x_j c_j| < 2^26.
  void (*build)(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                std::size_t n_centroids, std::uint16_t* table);

  // Adds the entries of a quad of a tile: sums[64][rows] += Σ_b tables[b][codes[b][64]][rows].
  // tables: uint16[kQuadBytes][kWideCentroids][rows].
  void (*sweep)(const std::uint8_t* codes, const std::uint16_t* tables, std::uint16_t* sums);

  // totals[64][rows] += sums * scales[rows]; sums = 0.
  void (*flush)(std::uint16_t* sums, const float* scales, float* totals);

  // As LookupKernel::Cycles.
  struct Cycles {
    float build_per_vector_pair;  // a vector of an entry and a pair of columns
    float sweep_per_code;
    float flush_per_row;  // of W
  } cycles;
};
constexpr std::size_t kBatchHeadroom = kScaleQuads * kQuadBytes;  // entries that a word sums

// One row of x with tables of floats. A code byte looks up in a table of 256 entries: those of its
// position, or the sums of the entries of both positions of a narrow byte.
struct FloatLookupKernel {
  // Brings the entries of a table, float[256] aligned to 64 bytes, from the order of the codes into
  // the layout of the kernel. Null if this is the same.
  void (*arrange)(float* table);

  // Adds the entries of n_quads quads to `sums`: float[n_tiles][64], the 64 in an order of the
  // kernel's own. The sums of a row run over the bytes in order, one rounding each: they do not
  // depend on how the quads are divided into calls. tables: float[n_quads][kQuadBytes][256].
  // REQUIRES: n_tiles <= kSweepTiles.
  void (*sweep)(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                std::size_t n_tiles, const float* tables, float* sums);

  void (*order)(const float* sums, float* rows);  // as LookupKernel::order

  // As LookupKernel::Cycles.
  struct Cycles {
    float sweep_per_tile_byte;
    float arrange_per_entry;
  } cycles;
};

struct LookupKernels {
  const char* name;
  std::size_t wide_lanes, narrow_lanes;  // of centroid_place
  bool interleaved_narrow;
  LookupKernel wide_high, wide_fast, narrow_high, narrow_fast;
  BatchLookupKernel few_fast, many_fast;  // of wide codes, for a few rows of x and for many
  FloatLookupKernel wide_floats, narrow_floats;
};

extern const LookupKernels lookup_portable;
extern const LookupKernels lookup_avx2;        // AVX2
extern const LookupKernels lookup_avx512;      // AVX-512 F and BW
extern const LookupKernels lookup_avx512vbmi;  // the same, VL, VBMI and VNNI
extern const LookupKernels lookup_neon;

}  // namespace pqw::kernels
