// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/safetensors.h"
#include "namid/io/torch_storages.h"

namespace namid::io {

/// A tensor of a PyTorch file: a view of a storage that other tensors may share.
struct TorchTensor {
  std::string name;           ///< its path: keys, indices and attributes joined by '.'
  std::size_t container = 0;  ///< length of the part of `name` that leads to its dict or module
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape, strides;  ///< strides in elements, never negative
  std::int64_t offset = 0;                   ///< of the first element in the storage, in elements
  std::size_t storage = 0;                   ///< index in `storages`
};

/// Anything else in the file, as text: "epoch", "12"; "args", "argparse.Namespace(...)".
struct TorchObject {
  std::string name;
  std::string text;  ///< at most 100 characters
};

/// What `torch.save` wrote (.pth, .pt, .bin, .ckpt), read without running its pickle: the zip form
/// of PyTorch 1.6 and later, TorchScript's archives included, and the older one of concatenated
/// pickles. State dicts, checkpoints of any nesting, optimiser states, and whole modules, whose
/// tensors are named as their state_dict() would (TorchScript: attributes too). Objects of other
/// classes are listed as inert text. The bytes must outlive the file.
///
/// DataError names file and cause: anything damaged, truncated or overlapping, a CRC-32 that
/// differs, a storage whose size is not what the pickle says, a tensor outside its storage. Zip
/// records whose CRC was left out (0) count as unverified. Tensors without strided storage (sparse,
/// quantised) and of complex128 are listed as objects. Not read: the tar form before PyTorch 0.1.10
/// and storage views before 0.4.
///
/// Memory beyond the bytes: inflated records (torch writes none) up to `max_bytes`, and at most the
/// file's size plus 16 MB.
class TorchFile {
 public:
  TorchFile(ByteSpan bytes, std::string name, std::uint64_t max_bytes = kMaxBytes);

  const std::string& name() const { return name_; }
  bool is_zip() const { return is_zip_; }
  const std::vector<TorchTensor>& tensors() const { return tensors_; }
  const std::vector<TorchObject>& objects() const { return objects_; }
  const std::vector<TorchStorage>& storages() const { return storages_.all(); }
  /// What unpickling would import besides PyTorch's tensors and Python's containers, sorted:
  /// "argparse.Namespace", "posix.system"; at most 1000. None of it was imported.
  const std::vector<std::string>& foreign_globals() const { return globals_; }

  /// The elements of a tensor of this file: row-major, little-endian, without gaps. DataError for
  /// more than the file's cap.
  Bytes contents(const TorchTensor& tensor) const;

 private:
  void read_zip(ByteSpan bytes);
  void read_legacy(ByteSpan bytes);
  void read_tree(const class Pickle& pickle, std::uint64_t file_bytes);

  std::string name_;
  std::uint64_t max_bytes_;
  bool is_zip_ = false;
  TorchStorages storages_;
  std::vector<TorchTensor> tensors_;
  std::vector<TorchObject> objects_;
  std::vector<std::string> globals_;
};

/// Whether these may be the first bytes of such a file. (Every zip archive's are.)
bool may_be_torch_file(ByteSpan bytes);

/// The part of the names before the state dict: "" or "model.", "state_dict.", ... `entry` is a
/// path, "." the whole file, or empty: the choice is then made level by level, from the root. The
/// first of the keys state_dict, model_state_dict, model, net, network, module, params, weights,
/// ema whose dict leads to tensors is followed; else the level is taken if it holds tensors itself;
/// else the only key that leads to tensors is followed. DataError names the keys where there are
/// several, or where `entry` leads to no tensor.
std::string state_dict_prefix(const TorchFile& file, const std::string& entry);

}  // namespace namid::io
