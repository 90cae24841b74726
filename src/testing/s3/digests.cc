#include "testing/s3/digests.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"
#include "base/sha256.h"

namespace weir::testing::s3 {
namespace {

constexpr size_t kHmacChunkBytes = 64;

std::string keyed(std::string key, char pad) {
  key.resize(kHmacChunkBytes);
  for (char& byte : key) byte = static_cast<char>(byte ^ pad);
  return key;
}

}  // namespace

std::string sha256_bytes(std::string_view text) {
  const Sha256Digest digest = sha256(text);
  return {digest.begin(), digest.end()};
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  const std::string short_key = key.size() > kHmacChunkBytes ? sha256_bytes(key) : std::string(key);
  const std::string inner = sha256_bytes(keyed(short_key, 0x36) + std::string(text));
  return sha256_bytes(keyed(short_key, 0x5c) + inner);
}

std::string md5_bytes(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_md5(), nullptr) == 1);
  return {digest.begin(), digest.begin() + length};
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string bytes(3 * (text.size() / 4), '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

}  // namespace weir::testing::s3
