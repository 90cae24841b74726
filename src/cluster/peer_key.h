#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/ids.h"
#include "model/records.h"

/// How nodes know each other: docs/peers.md, "Authentication". Pure functions.
namespace weir::cluster {

/// What both sides bring to a connection.
struct Greeting {
  NodeId asker;
  NodeId answerer;
  std::string asker_nonce;  // as nonce_text() made it
  std::string answerer_nonce;
};

/// The secret that the nodes of a volume share.
class PeerKey {
 public:
  static PeerKey of(const VolumeSettings& settings);
  /// By which the answerer shows that it has the key, in hex.
  std::string proof(const Greeting& greeting) const;
  /// The key of one connection. Never sent.
  std::string connection_key(const Greeting& greeting) const;

 private:
  explicit PeerKey(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

/// Of one request of a connection, in hex.
std::string request_mac(std::string_view connection_key, std::string_view method, std::string_view target,
                        uint64_t sequence, std::string_view body);

inline constexpr size_t kNonceBytes = 16;
/// In hex, of kNonceBytes random ones.
std::string nonce_text(std::string_view random_bytes);
bool is_nonce(std::string_view text);
/// In a time that does not tell where they differ.
bool same_secret(std::string_view one, std::string_view other);

// Headers, in small letters.
inline constexpr std::string_view kNodeHeader = "weir-node";
inline constexpr std::string_view kNonceHeader = "weir-nonce";
inline constexpr std::string_view kProofHeader = "weir-proof";
inline constexpr std::string_view kSequenceHeader = "weir-sequence";
inline constexpr std::string_view kMacHeader = "weir-mac";
inline constexpr std::string_view kSumsHeader = "weir-crc32c";
// Paths.
inline constexpr std::string_view kPeerPrefix = "/peer/v1/";
inline constexpr std::string_view kHelloPath = "/peer/v1/hello";
inline constexpr std::string_view kChunksPrefix = "/peer/v1/chunks/";
inline constexpr std::string_view kMessagesPrefix = "/peer/v1/messages/";

/// Digits alone, that fit. Nothing for other texts.
std::optional<uint64_t> number_of(std::string_view digits);

}  // namespace weir::cluster
