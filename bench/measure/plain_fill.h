#pragma once

#include <string>

#include "base/result.h"

namespace weir::bench {

/// What filling a cache from a directory of chunks costs without Weir: a program that reads the chunk files in
/// parallel, checks each against its SHA-256, which is its name, and writes them into one file.
class PlainFill {
 public:
  /// Makes `directory` with chunk files of 4 MiB, `bytes` in all. Blocks.
  static Result<PlainFill> prepare(const std::string& directory, uint64_t bytes);

  /// Fills a new file, which it removes again. MB/s. Blocks.
  Result<double> run(int threads) const;
  Status clean() const;

 private:
  PlainFill(std::string directory, std::vector<std::string> chunks)
      : directory_(std::move(directory)), chunks_(std::move(chunks)) {}
  Status fill_share(int fd, size_t first, size_t step) const;

  std::string directory_;
  std::vector<std::string> chunks_;  // their names
};

}  // namespace weir::bench
