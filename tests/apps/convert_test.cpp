// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/pt2_parts.h"
#include "namid/io/atomic_file.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;

std::string fixture(const std::string& name) {
  return std::string(NAMID_SOURCE_DIR) + "/tests/fixtures/torch_" + name + ".pth";
}

json inspect(const std::string& file) {
  const auto result = run_program("inspect --json " + file);
  EXPECT_EQ(result.code, 0) << result.text;
  return json::parse(result.text);
}

TEST(InspectCommand, ListsTensorsObjectsAndWhatUnpicklingWouldImport) {
  const auto found = inspect(fixture("checkpoint"));
  EXPECT_EQ(found["format"], "torch (zip)");
  EXPECT_EQ(found["entry"], "state_dict.");
  EXPECT_EQ(found["imports"], json({"argparse.Namespace"}));
  EXPECT_EQ(found["unverified"], 0);
  EXPECT_EQ(found["tensors"][1]["name"], "state_dict.conv.weight");
  EXPECT_EQ(found["tensors"][1]["shape"], json({2, 1, 2, 2}));
  const auto code = run_program("inspect " + fixture("command"));
  for (const auto* line :
       {"1 tensors, 2 elements", "w  F32 (2)", "x  posix.system('touch torch-file-test-was-run')",
        "unpickling would import: posix.system", "checksums: crc32, all right"})
    EXPECT_NE(code.text.find(line), std::string::npos) << code.text;
  EXPECT_NE(run_program("inspect " + fixture("unverified")).text.find("left out (0) for 1 tensors"),
            std::string::npos);
  EXPECT_EQ(inspect(fixture("state_dict_legacy"))["checksum"], "none");
}

TEST(InspectCommand, KnowsTheOtherFormats) {
  const auto fixtures = std::string(NAMID_SOURCE_DIR) + "/tests/fixtures/";
  EXPECT_EQ(inspect(fixtures + "python.safetensors")["format"], "safetensors");
  EXPECT_EQ(inspect(fixtures + "stored.npz")["format"], "npz");
  const auto wrong = run_program("inspect " + fixtures + "grey.png");
  EXPECT_EQ(wrong.code, 3);
  EXPECT_NE(wrong.text.find("no weights of a known format"), std::string::npos) << wrong.text;
}

TEST(InspectCommand, ShowsWhatAProgramTakesComputesAndHolds) {
  const TempFolder folder;
  pt2::Parts parts;
  parts.extra.emplace_back("extra/namid.json", io::Bytes{std::byte{'{'}, std::byte{'}'}});
  const auto path = (folder / "net.pt2").string();
  io::write_file_atomically(path, io::as_text(parts.bytes()));
  const auto found = inspect(path);
  EXPECT_EQ(found["format"], "torch.export program");
  EXPECT_EQ(found["input"]["shape"], json({nullptr, 2}));
  EXPECT_EQ(found["output"]["shape"], json({nullptr, 3}));
  EXPECT_EQ(found["operators"]["torch.ops.aten.linear.default"], 1);
  EXPECT_EQ(found["tensors"][0]["role"], "parameter");
  EXPECT_EQ(found["elements"], 6);
  EXPECT_EQ(found["note"], json::object());
  EXPECT_EQ(found["members"].size(), 8U);
  const auto text = run_program("inspect " + path).text;
  for (const auto* line : {"w  F32 (3, 2) parameter", "takes F32 (batch, 2), gives F32 (batch, 3)",
                           "aten.linear.default x 1", "checksums: crc32, all right"})
    EXPECT_NE(text.find(line), std::string::npos) << text;
  parts.weight()["use_pickle"] = true;
  io::write_file_atomically(path, io::as_text(parts.bytes()));
  const auto refused = run_program("inspect " + path);
  EXPECT_EQ(refused.code, 0) << refused.text;
  EXPECT_NE(refused.text.find("namid cannot run it: "), std::string::npos) << refused.text;
  EXPECT_NE(refused.text.find("8 members"), std::string::npos) << refused.text;
}

TEST(ConvertCommand, RefusesToOverwriteAndSaysWhatItDid) {
  const TempFolder folder;
  const auto out = (folder / "w.safetensors").string();
  const auto done = run_program("convert " + fixture("checkpoint") + " " + out);
  EXPECT_EQ(done.code, 0) << done.text;
  EXPECT_NE(done.text.find("w.safetensors: 9 tensors from below state_dict., sha256"),
            std::string::npos);
  EXPECT_EQ(inspect(out)["checksum"], "crc32c");
  const auto again = run_program("convert " + fixture("views") + " " + out);
  EXPECT_EQ(again.code, 2);
  EXPECT_NE(again.text.find("--force replaces it"), std::string::npos) << again.text;
  EXPECT_EQ(inspect(out)["tensors"].size(), 9U);
  EXPECT_EQ(run_program("convert --force " + fixture("views") + " " + out).code, 0);
  EXPECT_EQ(inspect(out)["tensors"].size(), 9U);
  EXPECT_EQ(run_program("convert " + fixture("views") + " w.txt").code, 2);
  const auto some = run_program("convert --json --entry optimizer " + fixture("checkpoint_legacy") +
                                " " + (folder / "sgd.pth").string());
  EXPECT_EQ(some.code, 0) << some.text;
  EXPECT_EQ(json::parse(some.text)["unverified"], json::parse(some.text)["tensors"]);
}

TEST(ConvertCommand, PyTorchReadsWhatItWritesWithWeightsOnly) {
  const TempFolder folder;
  const auto path = [&](const std::string& name) { return (folder / name).string(); };
  for (const auto* name : {"types", "views", "state_dict"}) {
    for (const auto& [from, to] :
         {std::pair(fixture(name), path(std::string(name) + ".safetensors")),
          std::pair(path(std::string(name) + ".safetensors"), path(std::string(name) + ".pth"))}) {
      const auto done = run_program("convert " + from + " " + to);
      ASSERT_EQ(done.code, 0) << done.text;
    }
  }
  std::ofstream(path("check.py")) << R"(
import sys, torch
folder, fixtures = sys.argv[1:3]
for name in ("types", "views", "state_dict"):
    theirs = torch.load(f"{fixtures}/torch_{name}.pth", weights_only=True)
    for mmap in (False, True):
        ours = torch.load(f"{folder}/{name}.pth", weights_only=True, mmap=mmap)
        assert list(ours) == list(theirs), name
        for key, value in theirs.items():
            assert ours[key].dtype == value.dtype and ours[key].shape == value.shape, key
            a, b = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (ours[key], value))
            assert torch.equal(a, b), key
print("same")
)";
  const auto checked =
      run_command(std::string(NAMID_PYTHON) + " " + path("check.py") + " " +
                  folder.path().string() + " " + NAMID_SOURCE_DIR + "/tests/fixtures");
  EXPECT_EQ(checked.text, "same\n");
}

TEST(EvaluateCommand, AttacksABuiltInNetworkWithWeightsOfAPthFile) {
  const TempFolder folder;
  const auto path = [&](const std::string& name) { return (folder / name).string(); };
  const auto tiny =
      " --model small_cnn --width 4 --train-limit 64 --batch-size 32 --epochs 1 --steps 1 "
      "--epsilon 0.1 --threads 1 --quiet --out ";
  ASSERT_EQ(
      run_program("train --defense natural" + std::string(tiny) + folder.path().string()).code, 0);
  const auto model = path("train/natural-small_cnn-001");
  ASSERT_EQ(run_program("convert " + model + " " + path("w.pth")).code, 0);
  const auto common = " --steps 2 --epsilon 0.1 --test-limit 40 --threads 1 --quiet --json --out " +
                      folder.path().string();
  const auto from_run = run_program("evaluate " + model + common);
  const auto from_pth =
      run_program("evaluate small_cnn --width 4 --weights " + path("w.pth") + common);
  ASSERT_EQ(from_run.code, 0) << from_run.text;
  ASSERT_EQ(from_pth.code, 0) << from_pth.text;
  const auto a = json::parse(from_run.text), b = json::parse(from_pth.text);
  EXPECT_EQ(a["natural"], b["natural"]);
  EXPECT_EQ(a["attacks"][0]["robust"], b["attacks"][0]["robust"]);
  const auto misplaced = run_program("evaluate " + model + " --width 4" + common);
  EXPECT_EQ(misplaced.code, 2);
  EXPECT_NE(misplaced.text.find("width: belongs to --weights FILE"), std::string::npos)
      << misplaced.text;
  EXPECT_EQ(run_program("evaluate small_cnn --weights " + path("w.pth") + common).code, 3);
}

}  // namespace
}  // namespace namid::testing
