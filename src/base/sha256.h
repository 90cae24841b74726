#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace weir {

using Sha256Digest = std::array<uint8_t, 32>;

/// FIPS 180-4 SHA-256 by OpenSSL, which uses the processor's SHA instructions.
Sha256Digest sha256(std::string_view bytes);

/// The same, in pieces. Thread rule: one thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  /// Ends this hash; the object starts over.
  Sha256Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace weir
