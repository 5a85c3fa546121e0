// PyTorch's files of tensors, as torch.save writes them.
//
// Layout since PyTorch 1.6: a zip archive of stored members, all in one folder: data.pkl, the
// pickle of the saved object; data/KEY, the storage of that key; byteorder, "little" or "big"
// (little if missing); version. Before (and with _use_new_zipfile_serialization=False), one after
// another: the pickles of a magic number, of the version 1001, of a dict about the system, of the
// object and of the list of keys; for each key the number of elements (u64) and the storage, both
// little-endian. In both a tensor is a view of a storage, which the pickle names by a persistent
// id: ("storage", class of the elements, KEY, device, number of elements, ...).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/pickle.h"
#include "formats/strided_view.h"
#include "formats/zip_archive.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct TorchTensor {
  TensorInfo info = {};
  std::string key = {};             // of its storage
  std::uint64_t storage_bytes = 0;  // as the persistent id has it
  StridedView view = {};
  std::size_t element_bytes = 1;
  std::size_t number_bytes = 1;  // half of an element if that is complex
};

struct TorchContent {
  std::vector<TorchTensor> tensors;  // in the order of the pickle; names differ
  std::vector<Skipped> skipped;
};

// The tensors in dicts, lists and tuples of the saved object. If one dict has all tensors, their
// names are its keys, as in a state dict; if not, the keys that lead to them, joined by '.'. The
// state of optimizers is left out. Views are within their storage.
// Errors: kFormat; kUnsupported (an object that only its program can read, a nested module for
// example; more nesting or longer names than any checkpoint has).
TorchContent find_torch_tensors(const Subject& subject, const Pickle& pickle);

// The bytes of a storage.
struct TorchStorage {
  std::uint64_t at = 0;  // in the file
  std::uint64_t n_bytes = 0;
  std::optional<ZipPlace> member = {};  // of a zip archive
};

// An opened file: where everything is, checked.
struct TorchFile {
  TorchContent content;
  std::vector<TorchStorage> storages;   // of the tensors, each once
  std::vector<std::size_t> storage_of;  // of each tensor: an index into storages
  bool big_endian = false;
  ZipPtr zip;  // null in legacy files
};

bool is_torch_zip(const InputFile& file);
bool is_torch_legacy(const InputFile& file);

// Errors: kFormat, kUnsupported (TorchScript, whole modules, ...), kIo.
TorchFile open_torch_zip(const InputFile& file);
TorchFile open_torch_legacy(const InputFile& file);
TorchFile open_torch_file(const InputFile& file);

}  // namespace pqw
