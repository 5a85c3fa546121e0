/* pqw in C99: opens archives and weight files, decodes tensors, computes layers from their codes,
 * compresses. A C program links libpqw.so; docs/c_api.md has an example.
 *
 * Calls that can fail return a pqw_status. What went wrong is the text of pqw_last_error. After an
 * error, results have their old values unless a function says otherwise. No function prints, ends the
 * program or throws.
 *
 * Handles (pqw_model, pqw_linear, ...) may be used by several threads at once, except pqw_recipe and
 * the calls that destroy a handle. Destroying NULL does nothing. Layers do not need the model that
 * they came from.
 *
 * Names and paths are texts in UTF-8 that end in a zero byte. Memory of the caller needs to be valid
 * during the call only.
 *
 * Structs begin with struct_size. Initialise them with their macro (pqw_tensor t = PQW_TENSOR_INIT),
 * so that a program works with later versions of the library, which may add fields at the end. */
#ifndef PQW_H_
#define PQW_H_

#include <stddef.h>
#include <stdint.h>

#define PQW_VERSION_MAJOR 0
#define PQW_VERSION_MINOR 1
#define PQW_VERSION_PATCH 0

#define PQW_API __attribute__((visibility("default")))

/* In C++, too, enumerations have all values of int: a library may be older than its header. */
#ifdef __cplusplus
#define PQW_ENUM_INT : int
extern "C" {
#else
#define PQW_ENUM_INT
#endif

/* ------------------------------------------------------------------ version and errors */

/* The version of the library in use, "0.1.0"; the macros above are of this header. */
PQW_API const char* pqw_version(void);

typedef enum pqw_status PQW_ENUM_INT {
  PQW_OK = 0,
  PQW_INVALID_ARGUMENT = 1, /* an argument is not valid */
  PQW_NOT_FOUND = 2,        /* the named file or tensor does not exist */
  PQW_EXISTS = 3,           /* the output exists already, and may not be overwritten */
  PQW_IO = 4,               /* the operating system refused or failed */
  PQW_BUSY = 5,             /* another writer is writing the same output */
  PQW_UNSYNCED = 6,         /* an output is complete, but a power failure may undo that */
  PQW_FORMAT = 7,           /* a file breaks the rules of its format */
  PQW_CORRUPT = 8,          /* an archive contradicts itself or its digest */
  PQW_UNSUPPORTED = 9,      /* valid, but this version does not support it */
  PQW_NON_FINITE = 10,      /* weights hold NaN or infinity */
  PQW_NOT_CARRIED = 11,     /* an input holds numbers that cannot become a tensor */
  PQW_OUT_OF_MEMORY = 100,
  PQW_CANCELLED = 101, /* the progress function asked for it */
  PQW_INTERNAL = 102   /* a bug of pqw */
} pqw_status;

/* One line that says which call of this thread failed last, and why: "model.h5: no tensor is named
 * 'fc'". Empty if none failed. Valid until the next failing call of this thread, at most 4095 bytes. */
PQW_API const char* pqw_last_error(void);

/* ------------------------------------------------------------------ models */

/* Flags of the functions that have them, combined by |. */
enum {
  PQW_TRUSTED = 1,   /* parse HDF5 files in this process: only for files of known origin */
  PQW_OVERWRITE = 2, /* pqw_compress: replace an output that exists */
  PQW_RESUME = 4     /* pqw_compress: continue an interrupted run with the same output */
};

/* An archive, or a weight file (safetensors, PyTorch, ONNX, ...), whose tensors are served as they
 * are. An archive is read by a child process for as long as the model is open, unless it is
 * trusted. */
typedef struct pqw_model pqw_model;

/* flags: PQW_TRUSTED or 0. */
PQW_API pqw_status pqw_model_open(const char* path, uint32_t flags, pqw_model** model);
PQW_API void pqw_model_close(pqw_model* model);

typedef enum pqw_dtype PQW_ENUM_INT {
  PQW_F16 = 0,
  PQW_BF16 = 1,
  PQW_F32 = 2,
  PQW_F64 = 3,
  PQW_F8_E4M3 = 4,
  PQW_F8_E5M2 = 5,
  PQW_I8 = 6,
  PQW_I16 = 7,
  PQW_I32 = 8,
  PQW_I64 = 9,
  PQW_U8 = 10,
  PQW_U16 = 11,
  PQW_U32 = 12,
  PQW_U64 = 13,
  PQW_BOOL = 14,
  PQW_OTHER_DTYPE = 1000 /* another type; pqw_tensor.dtype_name names it */
} pqw_dtype;

/* What is known of a tensor without reading it. The texts and the shape belong to the model. */
typedef struct pqw_tensor {
  size_t struct_size;
  const char* name;
  size_t name_bytes; /* without the zero byte; names of hostile files may hold zero bytes */
  pqw_dtype dtype;   /* the original type */
  const char* dtype_name;
  size_t rank;
  const size_t* shape; /* [rank], as in the file */
  uint64_t n_bytes;    /* of the whole tensor in its original type */
} pqw_tensor;
#define PQW_TENSOR_INIT \
  { sizeof(pqw_tensor), NULL, 0, PQW_F32, NULL, 0, NULL, 0 }

/* The number of tensors; 0 if model is NULL. Tensors are numbered in the order of the file. */
PQW_API size_t pqw_model_count(const pqw_model* model);
/* Errors: PQW_NOT_FOUND. */
PQW_API pqw_status pqw_model_find(const pqw_model* model, const char* name, size_t* index);
PQW_API pqw_status pqw_model_tensor(const pqw_model* model, size_t index, pqw_tensor* tensor);

/* How the tensor is stored: "pq", "int8", "tcq", "plain", ... The text belongs to the model. */
PQW_API pqw_status pqw_model_codec(const pqw_model* model, size_t index, const char** codec);

/* The bytes of the tensor in its original type, row-major and little-endian.
 * out_bytes is the size of out, at least pqw_tensor.n_bytes. */
PQW_API pqw_status pqw_model_read(const pqw_model* model, size_t index, void* out,
                                  size_t out_bytes);

/* Decodes the tensor to memory of the caller: element (i, j, ...) goes to
 * out + i * strides[0] + j * strides[1] + ... Strides are in bytes and not negative, one for each
 * dimension; NULL means row-major without gaps. out_bytes is what the caller owns from out on.
 * dtype is the type of the tensor, or another of F16, BF16, F32 and F64 if it has one of these.
 * Narrowing rounds, and values beyond the range become the largest finite ones.
 * After an error, out may hold a part of the tensor. */
PQW_API pqw_status pqw_model_decode(const pqw_model* model, size_t index, pqw_dtype dtype,
                                    void* out, size_t out_bytes, const ptrdiff_t* strides);

/* ------------------------------------------------------------------ layers */

/* The exactness of products with pq and int8 weights (docs/serving.md). */
typedef enum pqw_precision PQW_ENUM_INT {
  PQW_PRECISION_EXACT = 0, /* float32 */
  PQW_PRECISION_HIGH = 1,  /* relative error up to 1e-4 */
  PQW_PRECISION_FAST = 2   /* up to 1.5e-2 */
} pqw_precision;

/* What a layer may hold in memory. */
typedef enum pqw_memory PQW_ENUM_INT {
  PQW_MEMORY_CODES = 0,  /* the codes */
  PQW_MEMORY_FASTEST = 1 /* also the decoded weight, for the batches for which it is faster */
} pqw_memory;

/* Options of layers. NULL in their place means PQW_SERVE_OPTIONS_INIT. */
typedef struct pqw_serve_options {
  size_t struct_size;
  pqw_precision precision;
  pqw_memory memory;
} pqw_serve_options;
#define PQW_SERVE_OPTIONS_INIT \
  { sizeof(pqw_serve_options), PQW_PRECISION_HIGH, PQW_MEMORY_CODES }

/* y = x Wᵀ + b. The weight is [out_features, in_features]; bias is the name of a tensor of
 * out_features elements, or NULL. */
typedef struct pqw_linear pqw_linear;
PQW_API pqw_status pqw_linear_create(const pqw_model* model, const char* weight, const char* bias,
                                     const pqw_serve_options* options, pqw_linear** linear);
PQW_API void pqw_linear_destroy(pqw_linear* linear);
/* 0 if linear is NULL. */
PQW_API size_t pqw_linear_in_features(const pqw_linear* linear);
PQW_API size_t pqw_linear_out_features(const pqw_linear* linear);
/* x is [batch][in_features], y is [batch][out_features], and they do not overlap. Row i of x is at
 * x + i * x_stride; strides count floats, and are at least the length of a row. */
PQW_API pqw_status pqw_linear_forward(const pqw_linear* linear, size_t batch, const float* x,
                                      size_t x_stride, float* y, size_t y_stride);

/* Arrays have one entry for each dimension of the kernel, the first ones count: 1 for sequences, 2
 * for images {height, width}, 3 for volumes {depth, height, width}. */
typedef struct pqw_conv_options {
  size_t struct_size;
  size_t stride[3];
  size_t padding[3]; /* zeros on each side; of a transposed one, outputs left out */
  size_t dilation[3];
  size_t groups;
  int transposed;           /* as torch.nn.ConvTranspose1d and 2d */
  size_t output_padding[3]; /* of a transposed one: outputs added at the end */
} pqw_conv_options;
#define PQW_CONV_OPTIONS_INIT                                                    \
  {                                                                              \
    sizeof(pqw_conv_options), {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 1, 0, { 0, 0, 0 } \
  }

/* A convolution (cross-correlation) as deep-learning frameworks define it, of 1, 2 or 3 dimensions as
 * the weight [out, in/groups, kernel...] has them. */
typedef struct pqw_conv pqw_conv;
PQW_API pqw_status pqw_conv_create(const pqw_model* model, const char* weight, const char* bias,
                                   const pqw_conv_options* conv_options,
                                   const pqw_serve_options* options, pqw_conv** conv);
PQW_API void pqw_conv_destroy(pqw_conv* conv);
/* The length of shapes: 2 and the dimensions of the kernel; 0 if conv is NULL. */
PQW_API size_t pqw_conv_rank(const pqw_conv* conv);
/* Shapes are {batch, channels, dimensions...}. */
PQW_API pqw_status pqw_conv_output_shape(const pqw_conv* conv, const size_t* x_shape,
                                         size_t* y_shape);
/* x is row-major with that shape. REQUIRES: y_count is the product of the output shape. */
PQW_API pqw_status pqw_conv_forward(const pqw_conv* conv, const size_t* x_shape, const float* x,
                                    float* y, size_t y_count);

/* Row i of the weight [num_embeddings, dim] is the vector of index i. */
typedef struct pqw_embedding pqw_embedding;
PQW_API pqw_status pqw_embedding_create(const pqw_model* model, const char* weight,
                                        pqw_embedding** embedding);
PQW_API void pqw_embedding_destroy(pqw_embedding* embedding);
/* 0 if embedding is NULL. */
PQW_API size_t pqw_embedding_count(const pqw_embedding* embedding);
PQW_API size_t pqw_embedding_dim(const pqw_embedding* embedding);
/* out is [n_indices][dim], its rows out_stride floats apart. */
PQW_API pqw_status pqw_embedding_forward(const pqw_embedding* embedding, const int64_t* indices,
                                         size_t n_indices, float* out, size_t out_stride);

typedef enum pqw_bag_mode PQW_ENUM_INT { PQW_BAG_SUM = 0, PQW_BAG_MEAN = 1 } pqw_bag_mode;
/* Sums or means of bags of vectors. Bag b has the indices from offsets[b] on, up to those of the next
 * bag; an empty bag gives zeros. out is [n_bags][dim], its rows out_stride floats apart. */
PQW_API pqw_status pqw_embedding_forward_bags(const pqw_embedding* embedding,
                                              const int64_t* indices, size_t n_indices,
                                              const int64_t* offsets, size_t n_bags,
                                              pqw_bag_mode mode, float* out, size_t out_stride);

/* ------------------------------------------------------------------ compression */

/* What happens to which tensors: docs/recipes.md, docs/options.md. One thread at a time. */
typedef struct pqw_recipe pqw_recipe;
/* The default preset. */
PQW_API pqw_status pqw_recipe_create(pqw_recipe** recipe);
/* A recipe file in YAML. */
PQW_API pqw_status pqw_recipe_read(const char* path, pqw_recipe** recipe);
PQW_API void pqw_recipe_destroy(pqw_recipe* recipe);
/* Settings for all tensors, "codec=pq,block_size=4", on top of the earlier ones. */
PQW_API pqw_status pqw_recipe_set(pqw_recipe* recipe, const char* settings);
/* Settings for the tensors whose name matches the pattern; the first rule that matches counts. */
PQW_API pqw_status pqw_recipe_add_rule(pqw_recipe* recipe, const char* pattern,
                                       const char* settings);
/* Compresses tensors only if they match an included pattern, and none that is excluded. */
PQW_API pqw_status pqw_recipe_include(pqw_recipe* recipe, const char* pattern);
PQW_API pqw_status pqw_recipe_exclude(pqw_recipe* recipe, const char* pattern);

typedef enum pqw_target PQW_ENUM_INT {
  PQW_TARGET_SIZE = 0,            /* bytes of the file */
  PQW_TARGET_BITS_PER_WEIGHT = 1, /* bits of the file per element of a tensor */
  PQW_TARGET_RATIO = 2,           /* bytes of the tensors per byte of the file */
  PQW_TARGET_ERROR = 3            /* the mean of the relative errors of the tensors */
} pqw_target;
/* Chooses codecs and options of all tensors so that the file comes to that value. */
PQW_API pqw_status pqw_recipe_set_target(pqw_recipe* recipe, pqw_target target, double value);

typedef enum pqw_stage PQW_ENUM_INT {
  PQW_STAGE_START = 0,      /* n_total tensors will follow */
  PQW_STAGE_SEARCH = 1,     /* for a target, n_done of n_total operating points are probed */
  PQW_STAGE_TENSOR = 2,     /* the tensor is begun */
  PQW_STAGE_ITERATION = 3,  /* an iteration of the clustering of the tensor is done */
  PQW_STAGE_TENSOR_DONE = 4 /* n_done of n_total tensors are stored, the tensor among them */
} pqw_stage;

typedef struct pqw_progress {
  size_t struct_size;
  pqw_stage stage;
  size_t n_done;
  size_t n_total;
  const char* tensor; /* its name; NULL if the stage has none */
} pqw_progress;

/* Returns 0 to go on. Anything else ends the work: pqw_compress returns PQW_CANCELLED and leaves no
 * output. Calls come one at a time, also from other threads than the caller's. Must neither throw nor
 * jump out. `progress` is valid during the call. */
typedef int (*pqw_progress_function)(const pqw_progress* progress, void* user);

typedef struct pqw_compress_options {
  size_t struct_size;
  uint32_t flags;                 /* PQW_OVERWRITE, PQW_TRUSTED, PQW_RESUME */
  pqw_progress_function progress; /* may be NULL */
  void* user;                     /* for the progress function */
} pqw_compress_options;
#define PQW_COMPRESS_OPTIONS_INIT \
  { sizeof(pqw_compress_options), 0, NULL, NULL }

/* The outcome for a whole file. */
typedef struct pqw_summary {
  size_t struct_size;
  size_t n_tensors;
  uint64_t original_bytes; /* of all tensors */
  uint64_t file_bytes;     /* on disk */
  double bits_per_weight;  /* of the whole file, over all elements */
  /* Of the compressed tensors together, measured on the stored values; 0 if there are none. */
  double relative_error; /* sum of (w - decoded)², divided by the sum of w² */
} pqw_summary;
#define PQW_SUMMARY_INIT \
  { sizeof(pqw_summary), 0, 0, 0, 0, 0 }

/* Compresses a weight file into an archive. recipe, options and summary may be NULL. */
PQW_API pqw_status pqw_compress(const char* input, const char* output, const pqw_recipe* recipe,
                                const pqw_compress_options* options, pqw_summary* summary);

/* Compares a weight file with the archive that was made from it. flags: PQW_TRUSTED or 0. */
PQW_API pqw_status pqw_evaluate(const char* original, const char* compressed, uint32_t flags,
                                pqw_summary* summary);

/* Checks the digest of an archive and everything in it. n_tensors may be NULL. flags: PQW_TRUSTED
 * or 0. */
PQW_API pqw_status pqw_verify(const char* archive, uint32_t flags, size_t* n_tensors);

#ifdef __cplusplus
}
#endif

#endif
