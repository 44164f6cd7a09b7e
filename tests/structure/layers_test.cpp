// SPDX-License-Identifier: Apache-2.0
//
// Keeps the layers of ARCHITECTURE.md: a folder includes only from itself and the folders above it,
// core and io see no torch, headers do not include all of torch, every citation is in
// docs/papers.bib.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kLayers = {"core",     "io",     "dist",    "run",     "data",
                                          "models",   "engine", "attacks", "certify", "mi",
                                          "defenses", "eval",   "train",   "report"};

fs::path source_folder() {
  return NAMID_SOURCE_DIR;
}

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<fs::path> sources(const std::vector<std::string>& folders) {
  std::vector<fs::path> found;
  for (const auto& folder : folders) {
    if (!fs::exists(source_folder() / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(source_folder() / folder)) {
      const auto extension = entry.path().extension();
      if (extension == ".h" || extension == ".cpp") found.push_back(entry.path());
    }
  }
  return found;
}

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

std::map<std::string, int> layer_ranks() {
  std::map<std::string, int> ranks;
  for (std::size_t i = 0; i < kLayers.size(); ++i) ranks[kLayers[i]] = static_cast<int>(i);
  return ranks;
}

TEST(Layers, NoFolderIncludesFromOneBelowIt) {
  const auto ranks = layer_ranks();
  const std::regex include(R"re(#include "namid/([a-z]+)/)re");
  int checked = 0;
  for (const auto& path : sources({"namid"})) {
    const auto folder = fs::relative(path, source_folder() / "namid").begin()->string();
    if (!ranks.count(folder)) continue;  // namid.h and precompiled.h
    for (const auto& used : matches(read(path), include)) {
      ASSERT_TRUE(ranks.count(used)) << path << " includes from an unknown layer " << used;
      EXPECT_LE(ranks.at(used), ranks.at(folder)) << path << " includes namid/" << used;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100);
}

TEST(Layers, EveryFolderIsALayer) {
  const auto ranks = layer_ranks();
  for (const auto& entry : fs::directory_iterator(source_folder() / "namid"))
    EXPECT_TRUE(!entry.is_directory() || ranks.count(entry.path().filename().string())) << entry;
}

TEST(Layers, CoreAndIoDoNotKnowTorch) {
  const std::regex torch(R"re(#include <((torch|ATen|c10)/[^>]+)>)re");
  for (const auto& path : sources({"namid/core", "namid/io"})) {
    if (path.filename().string().rfind("tensor_", 0) == 0) continue;
    EXPECT_TRUE(matches(read(path), torch).empty()) << path;
  }
}

TEST(Layers, CoreAndIoAreCompiledWithoutTorchOnTheIncludePath) {
  const auto commands =
      nlohmann::json::parse(read(fs::path(NAMID_BUILD_DIR) / "compile_commands.json"));
  int checked = 0;
  for (const auto& entry : commands) {
    const auto file = fs::relative(entry.at("file").get<std::string>(), source_folder()).string();
    const bool torch_free = file.rfind("namid/core/", 0) == 0 || file.rfind("namid/io/", 0) == 0;
    if (!torch_free || file.rfind("namid/core/tensor_", 0) == 0) continue;
    EXPECT_EQ(entry.at("command").get<std::string>().find("/torch/include"), std::string::npos)
        << file;
    ++checked;
  }
  EXPECT_GT(checked, 20);
}

TEST(Layers, NoHeaderIncludesAllOfTorch) {
  const std::regex all(R"re(#include <(torch/(torch|all|extension)\.h)>)re");
  for (const auto& path : sources({"namid", "apps", "python", "tests"})) {
    if (path.extension() != ".h" || path.filename() == "precompiled.h") continue;
    EXPECT_TRUE(matches(read(path), all).empty()) << path;
  }
}

TEST(Layers, EverySourceStartsWithItsLicence) {
  for (const auto& path : sources({"namid", "apps", "python", "tests", "bench", "examples"}))
    EXPECT_EQ(read(path).rfind("// SPDX-License-Identifier: Apache-2.0\n", 0), 0u) << path;
}

TEST(Citations, EveryCitedPaperIsInTheBibliography) {
  const auto bibliography = read(source_folder() / "docs" / "papers.bib");
  const auto keys = matches(bibliography, std::regex(R"(@[a-z]+\{([^,]+),)"));
  const std::set<std::string> known(keys.begin(), keys.end());
  const std::regex arxiv(R"(arXiv:(\d{4}\.\d{4,5}))");
  const std::regex key(R"re("([a-z]+(?:19|20)\d\d[a-z]*)")re");
  int cited = 0;
  for (const auto& path : sources({"namid", "apps"})) {
    const auto text = read(path);
    for (const auto& id : matches(text, arxiv)) {
      EXPECT_NE(bibliography.find("eprint = {" + id + "}"), std::string::npos)
          << path << ": " << id;
      ++cited;
    }
    for (const auto& name : matches(text, key)) {
      EXPECT_TRUE(known.count(name)) << path << ": " << name;
      ++cited;
    }
  }
  EXPECT_GT(cited, 5);
}

TEST(Documents, SpeakOfTheProjectAlone) {
  const std::regex machine(R"((/(work|root|home/[a-z]+)/[a-z]))");
  for (const auto* name : {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    const auto text = read(source_folder() / name);
    EXPECT_FALSE(text.empty()) << name;
    EXPECT_TRUE(matches(text, machine).empty()) << name;
  }
}

}  // namespace
