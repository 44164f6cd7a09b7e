// SPDX-License-Identifier: Apache-2.0
#include "namid/data/image_files.h"

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/tensor_parallel.h"
#include "namid/io/image.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestImage = std::uint64_t{256} << 20;
constexpr std::int64_t kFilesPerTask = 64;

io::Image read_image(const fs::path& path) {
  return io::decode_image(io::read_file(path, kLargestImage), path.string(), kLargestImage);
}

void check_alike(const io::Image& image, const io::Image& first, const LabelledFile& file,
                 const LabelledFile& first_file, std::int64_t channels) {
  if (image.width != first.width || image.height != first.height)
    throw DataError(str(file.path.string(), ": expected ", first.width, "x", first.height,
                        " pixels as in ", first_file.path.string(), ", got ", image.width, "x",
                        image.height));
  if (image.channels > channels)
    throw DataError(str(file.path.string(),
                        ": expected a grey image, as the first of each class is, got colour"));
}

}  // namespace

Dataset load_images(const std::vector<LabelledFile>& files, std::int64_t channels,
                    std::vector<std::string> class_names, std::int64_t limit) {
  const auto all = static_cast<std::int64_t>(files.size());
  const auto count = limit > 0 ? std::min(limit, all) : all;
  const auto first = read_image(files.at(0).path);
  const auto size = static_cast<std::uint64_t>(channels * first.width * first.height);
  const auto folder = files[0].path.parent_path().string();
  const auto bytes = io::checked_product(folder, 0, size, static_cast<std::uint64_t>(count));
  io::check_size(folder, 0, bytes, io::kMaxBytes);
  io::Bytes pixels(bytes);
  parallel_for(0, count, kFilesPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto image = read_image(files[i].path);
      check_alike(image, first, files[i], files[0], channels);
      io::write_planes(image, channels, std::span(pixels).subspan(i * size, size));
    }
  });
  Labels labels{folder, {}};
  for (std::int64_t i = 0; i < count; ++i)
    labels.values.push_back(files[static_cast<std::size_t>(i)].label);
  return assemble(folder,
                  as_tensor(std::move(pixels), {count, channels, first.height, first.width}),
                  labels, std::move(class_names), limit);
}

std::vector<fs::path> image_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && io::is_image_name(entry.path()) &&
        !entry.path().filename().string().starts_with('.'))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<LabelledFile> interleave(const std::vector<std::vector<fs::path>>& per_class) {
  std::size_t longest = 0;
  for (const auto& files : per_class) longest = std::max(longest, files.size());
  std::vector<LabelledFile> out;
  for (std::size_t i = 0; i < longest; ++i)
    for (std::size_t c = 0; c < per_class.size(); ++c)
      if (i < per_class[c].size()) out.push_back({per_class[c][i], static_cast<std::int64_t>(c)});
  return out;
}

}  // namespace namid::data
