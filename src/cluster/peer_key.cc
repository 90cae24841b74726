#include "cluster/peer_key.h"

#include <fmt/format.h>

#include <charconv>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/hmac.h"
#include "base/sha256.h"

namespace weir::cluster {

namespace {

std::string_view bytes_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string text_of(std::string_view purpose, const Greeting& greeting) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", purpose, greeting.asker_nonce, greeting.answerer_nonce, greeting.asker.value,
                     greeting.answerer.value);
}

}  // namespace

PeerKey PeerKey::of(const VolumeSettings& settings) {
  const Bytes secret = std::move(Encoder().u64(settings.name_hash_key[0]).u64(settings.name_hash_key[1])).take();
  const std::string text = fmt::format("weir peer key 1\n{}\n{}", settings.volume_id, settings.incarnation);
  return PeerKey(std::string(bytes_of(hmac_sha256(secret, text))));
}

std::string PeerKey::proof(const Greeting& greeting) const {
  return to_hex(bytes_of(hmac_sha256(bytes_, text_of("weir peer hello 1", greeting))));
}

std::string PeerKey::connection_key(const Greeting& greeting) const {
  return std::string(bytes_of(hmac_sha256(bytes_, text_of("weir peer connection 1", greeting))));
}

std::string request_mac(std::string_view connection_key, std::string_view method, std::string_view target,
                        uint64_t sequence, std::string_view body) {
  const std::string text = fmt::format("{}\n{}\n{}\n{}", method, target, sequence, to_hex(bytes_of(sha256(body))));
  return to_hex(bytes_of(hmac_sha256(connection_key, text)));
}

std::string nonce_text(std::string_view random_bytes) { return to_hex(random_bytes); }

bool is_nonce(std::string_view text) {
  return text.size() == 2 * kNonceBytes && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool same_secret(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < one.size(); ++i) difference |= static_cast<unsigned char>(one[i] ^ other[i]);
  return difference == 0;
}

std::optional<uint64_t> number_of(std::string_view digits) {
  uint64_t number = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace weir::cluster
