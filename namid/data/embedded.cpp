// SPDX-License-Identifier: Apache-2.0
#include "namid/data/embedded.h"

// An assembler directive puts the files into the read-only data as they are.
#define NAMID_EMBED(symbol, file)              \
  __asm__(                                     \
      ".section .rodata\n"                     \
      ".balign 16\n"                           \
      ".hidden " #symbol                       \
      "\n"                                     \
      ".global " #symbol "\n" #symbol          \
      ":\n"                                    \
      ".incbin \"" NAMID_EMBEDDED_DIR "/" file \
      "\"\n"                                   \
      ".hidden " #symbol                       \
      "_end\n"                                 \
      ".global " #symbol "_end\n" #symbol      \
      "_end:\n"                                \
      ".byte 0\n"                              \
      ".previous\n");                          \
  extern "C" const std::byte symbol[];         \
  extern "C" const std::byte symbol##_end[];

NAMID_EMBED(namid_mini_train_images, "train-images-idx3-ubyte.gz")
NAMID_EMBED(namid_mini_train_labels, "train-labels-idx1-ubyte.gz")
NAMID_EMBED(namid_mini_test_images, "t10k-images-idx3-ubyte.gz")
NAMID_EMBED(namid_mini_test_labels, "t10k-labels-idx1-ubyte.gz")

namespace namid::data {

EmbeddedFiles embedded_fashion_mnist_mini(Part part) {
  if (part == Part::train)
    return {{namid_mini_train_images, namid_mini_train_images_end},
            {namid_mini_train_labels, namid_mini_train_labels_end}};
  return {{namid_mini_test_images, namid_mini_test_images_end},
          {namid_mini_test_labels, namid_mini_test_labels_end}};
}

}  // namespace namid::data
