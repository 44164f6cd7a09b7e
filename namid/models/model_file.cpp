// SPDX-License-Identifier: Apache-2.0
#include "namid/models/model_file.h"

#include <fstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/pt2.h"
#include "namid/io/zip.h"

namespace namid::models {
namespace {

ModelFile zip_kind(const std::filesystem::path& path) {
  const auto bytes = io::read_file(path);
  if (io::is_pt2(bytes)) return ModelFile::pt2;
  const io::ZipArchive archive(bytes, path.string());
  bool code = false, pickle = false;
  for (const auto& entry : archive.entries()) {
    if (entry.name.ends_with("serialized_exported_program.json"))
      throw DataError(str(path.string(),
                          ": a torch.export program in the form of before torch 2.8, "
                          "whose weights are a pickle; export it again with torch 2.8 or later"));
    code = code || entry.name.find("/code/") != std::string::npos;
    pickle = pickle || entry.name.ends_with("/data.pkl");
  }
  if (!pickle) throw DataError(str(path.string(), ": a zip archive without a model of PyTorch"));
  return code ? ModelFile::torchscript : ModelFile::checkpoint;
}

std::string first_bytes(const std::filesystem::path& path) {
  std::string text(16, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

ModelFile model_file_kind(const std::filesystem::path& path) {
  const auto start = first_bytes(path);
  if (start.starts_with("PK\x03\x04")) return zip_kind(path);
  // A checkpoint of before 2020 starts with a pickle of protocol 2 that holds one long integer.
  if (start.starts_with("\x80\x02\x8a\x0a")) return ModelFile::checkpoint;
  if (start.size() > 8 && start[8] == '{') return ModelFile::safetensors;
  return path.extension() == ".onnx" ? ModelFile::onnx : ModelFile::other;
}

}  // namespace namid::models
