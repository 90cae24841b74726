#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::object {

/// Where an S3 store is: what its URL says (docs/object-stores.md), with nothing of the environment in it.
///   s3://bucket[/prefix][?option=value[&…]]
struct S3Location {
  enum class Style { kUnsaid, kPath, kVirtual };

  std::string bucket;
  std::string prefix;    // without slashes at its ends; may be empty
  std::string endpoint;  // "https://host[:port]"; empty: AWS, in `region`
  std::string region;    // empty: as the environment says
  std::string profile;   // of the credentials file; empty: as the environment says
  std::string ca_file;   // an absolute path, or empty
  Style style = Style::kUnsaid;
  size_t connections = 0;  // 0: limits::kStoreConnections

  /// Invalid, with a sentence that never repeats what could be a secret.
  static Result<S3Location> parse(std::string_view url);
  /// Endpoint and region that the URL leaves open, from the environment and the profile.
  Status complete();
  /// The URL of this location; what is as usual is left out.
  std::string url() const;
};

inline constexpr std::string_view kS3Scheme = "s3://";

}  // namespace weir::object
