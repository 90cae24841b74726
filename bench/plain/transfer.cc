#include "bench/plain/transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hex.h"
#include "bench/plain/sign.h"

namespace weir::bench {
namespace {

constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr long kReceiveBufferBytes = 512 << 10;

std::string hex_of(const Sha256Digest& digest) {
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

struct Incoming {
  std::string* body;
  Sha256 hash;
};

size_t take(char* bytes, size_t, size_t count, void* user) {
  auto& incoming = *static_cast<Incoming*>(user);
  incoming.body->append(bytes, count);
  incoming.hash.update({bytes, count});
  return count;
}

size_t give(char* buffer, size_t, size_t room, void* user) {
  auto& rest = *static_cast<std::string_view*>(user);
  const size_t count = std::min(room, rest.size());
  std::memcpy(buffer, rest.data(), count);
  rest.remove_prefix(count);
  return count;
}

}  // namespace

struct Transfer::Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }
};

Transfer::Transfer(const PlainTarget& target) : target_(target), handle_(std::make_unique<Handle>()) {
  CHECK(handle_->curl != nullptr);
}

Transfer::~Transfer() = default;

Status Transfer::run(std::string_view method, const std::string& key, const std::string& content_sha256) {
  CURL* curl = handle_->curl;
  const std::string path = fmt::format("/{}/{}", target_.bucket, key);
  const std::string url = target_.endpoint + path;
  const std::string host = target_.endpoint.substr(target_.endpoint.find("//") + 2);
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");  // that would be a round trip more
  for (const std::string& header : signed_headers(target_, method, host, path, content_sha256)) {
    headers = curl_slist_append(headers, header.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  const CURLcode result = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_reset(curl);
  curl_slist_free_all(headers);
  if (result != CURLE_OK) return error(Code::kUnavailable, "{}: {}", url, curl_easy_strerror(result));
  if (status != 200) return error(Code::kUnavailable, "{}: the server answers {}", url, status);
  return {};
}

Status Transfer::get(const std::string& key, std::string& body, Sha256Digest& sha256) {
  body.clear();
  Incoming incoming{&body, {}};
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEDATA, &incoming);
  curl_easy_setopt(handle_->curl, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  TRY(run("GET", key, std::string(kEmptySha256)));
  sha256 = incoming.hash.finish();
  return {};
}

Status Transfer::put(const std::string& key, std::string_view body, const Sha256Digest& sha256) {
  std::string answer;
  Incoming incoming{&answer, {}};
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle_->curl, CURLOPT_WRITEDATA, &incoming);
  curl_easy_setopt(handle_->curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle_->curl, CURLOPT_UPLOAD_BUFFERSIZE, kReceiveBufferBytes);
  curl_easy_setopt(handle_->curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle_->curl, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(handle_->curl, CURLOPT_READDATA, &body);
  return run("PUT", key, hex_of(sha256));
}

}  // namespace weir::bench
