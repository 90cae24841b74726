#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

/// A metadata URL in the one spelling that is kept and compared.
struct MetadataUrl {
  std::string url;        // what open_engine() takes
  std::string directory;  // of an embedded volume; empty for a shared one
  std::string display;    // without credentials

  bool embedded() const { return !directory.empty(); }
};

/// Reads a path (relative to the working directory unless it starts with '/'), rocksdb:///path, postgres://… or
/// postgresql://…. Anything else is Invalid, with a sentence.
Result<MetadataUrl> parse_metadata_url(std::string_view text);

/// True for text of the form scheme://…
bool looks_like_url(std::string_view text);

}  // namespace weir
