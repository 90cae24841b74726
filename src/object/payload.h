#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace weir::object {

/// What is put into an object store: borrowed bytes, with their SHA-256 where the caller has it already (a chunk's id),
/// so that no store computes it again.
class Payload {
 public:
  // NOLINTBEGIN(google-explicit-constructor): plain bytes are a payload
  Payload(std::string_view bytes) : bytes_(bytes) {}
  Payload(const std::string& bytes) : bytes_(bytes) {}
  Payload(const char* text) : bytes_(text) {}
  // NOLINTEND(google-explicit-constructor)
  Payload(std::string_view bytes, const Sha256Digest& digest) : bytes_(bytes), digest_(digest) {}

  std::string_view bytes() const { return bytes_; }
  /// Hashes the bytes, unless the digest is known.
  Sha256Digest digest() const { return digest_ ? *digest_ : sha256(bytes_); }

 private:
  std::string_view bytes_;
  std::optional<Sha256Digest> digest_;
};

}  // namespace weir::object
