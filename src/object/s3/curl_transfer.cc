#include "object/s3/curl_transfer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace weir::object {

namespace {

/// The options that are set exist in the library that was compiled against; only memory can fail.
template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK);
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// What to do about a certificate that TLS refuses, by the number that OpenSSL has for the reason.
std::string_view certificate_advice(CURLcode outcome, long verified) {
  constexpr long kNotRefused = 1;  // as libcurl leaves it when the chain is trusted, and the host is another
  constexpr long kNotYetValid = 9;
  constexpr long kExpired = 10;
  if (outcome == CURLE_SSL_CACERT_BADFILE) return "correct ca= in the store URL, or AWS_CA_BUNDLE";
  if (verified == kExpired || verified == kNotYetValid)
    return "renew the certificate of the server, or set the clock of this machine";
  if (outcome == CURLE_PEER_FAILED_VERIFICATION && verified <= kNotRefused)
    return "correct endpoint= in the store URL to a name that the certificate has";
  return "name the file of the authority that signed it with ca=/path in the store URL";
}

bool is_tls_failure(CURLcode outcome) {
  return outcome == CURLE_PEER_FAILED_VERIFICATION || outcome == CURLE_SSL_CACERT_BADFILE ||
         outcome == CURLE_SSL_CERTPROBLEM || outcome == CURLE_SSL_ISSUER_ERROR;
}

}  // namespace

CurlTransfer::CurlTransfer(const HttpRequest& request, const CurlHttp::Options& options, CURL* handle)
    : request_(request), handle_(handle) {
  set_common(options);
  set_method();
  set_headers();
}

CurlTransfer::~CurlTransfer() { curl_slist_free_all(headers_); }

void CurlTransfer::set_common(const CurlHttp::Options& options) {
  set(handle_, CURLOPT_URL, request_.url.c_str());
  set(handle_, CURLOPT_NOSIGNAL, 1L);
  set(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(handle_, CURLOPT_USERAGENT, options.user_agent.c_str());
  set(handle_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(handle_, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle_, CURLOPT_BUFFERSIZE, static_cast<long>(limits::kStoreTransferBufferBytes));
  set(handle_, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(limits::kStoreTransferBufferBytes));
  set(handle_, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.timeout_ms));
  int64_t connect_ms = request_.connect_timeout_ms > 0 ? request_.connect_timeout_ms : limits::kStoreConnectMs;
  set(handle_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  set(handle_, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(limits::kStoreSlowestBytesPerSecond));
  set(handle_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits::kStoreStallSeconds));
  if (!options.ca_file.empty()) set(handle_, CURLOPT_CAINFO, options.ca_file.c_str());
  if (!request_.proxied) set(handle_, CURLOPT_NOPROXY, "*");
  set(handle_, CURLOPT_ERRORBUFFER, static_cast<char*>(what_failed_));
  set(handle_, CURLOPT_HEADERFUNCTION, &on_header);
  set(handle_, CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(handle_, CURLOPT_WRITEFUNCTION, &on_body);
  set(handle_, CURLOPT_WRITEDATA, static_cast<void*>(this));
}

void CurlTransfer::set_method() {
  const auto length = static_cast<curl_off_t>(request_.body.size());
  switch (request_.method) {
    case HttpRequest::Method::kGet: set(handle_, CURLOPT_HTTPGET, 1L); break;
    case HttpRequest::Method::kHead: set(handle_, CURLOPT_NOBODY, 1L); break;
    case HttpRequest::Method::kDelete: set(handle_, CURLOPT_CUSTOMREQUEST, "DELETE"); break;
    case HttpRequest::Method::kPost:
      set(handle_, CURLOPT_POST, 1L);
      set(handle_, CURLOPT_POSTFIELDSIZE_LARGE, length);
      break;
    case HttpRequest::Method::kPut:
      set(handle_, CURLOPT_UPLOAD, 1L);
      set(handle_, CURLOPT_INFILESIZE_LARGE, length);
      break;
  }
  set(handle_, CURLOPT_READFUNCTION, &on_upload);
  set(handle_, CURLOPT_READDATA, static_cast<void*>(this));
  // A kept connection that turns out to be closed by the server is replaced, and the request sent again by libcurl.
  set(handle_, CURLOPT_SEEKFUNCTION, &on_seek);
  set(handle_, CURLOPT_SEEKDATA, static_cast<void*>(this));
}

void CurlTransfer::set_headers() {
  auto append = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_, line.c_str());
    CHECK(longer != nullptr);
    headers_ = longer;
  };
  // libcurl writes none of these by itself then: no round trip before a body, and nothing that was not signed.
  append("Expect:");
  append("Accept:");
  append("Content-Type:");
  for (const HttpHeader& header : request_.headers) append(fmt::format("{}: {}", header.name, header.value));
  set(handle_, CURLOPT_HTTPHEADER, headers_);
}

void CurlTransfer::finish(CURLcode outcome) {
  MutexLock lock(mutex_);
  outcome_ = outcome;
  // Under the lock: the caller destroys this as soon as it sees the outcome.
  finished_.notify_one();
}

Result<HttpReply> CurlTransfer::wait() {
  CURLcode outcome = CURLE_OK;
  {
    MutexLock lock(mutex_);
    while (!outcome_) finished_.wait(mutex_);
    outcome = *outcome_;
  }
  if (outcome != CURLE_OK) return failure_of(outcome);
  long status = 0;
  CHECK(curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
  reply_.status = static_cast<int>(status);
  return std::move(reply_);
}

Failure CurlTransfer::failure_of(CURLcode outcome) {
  const char* what = what_failed_[0] != '\0' ? what_failed_ : curl_easy_strerror(outcome);
  std::string_view url = std::string_view(request_.url).substr(0, request_.url.find('?'));
  std::string action = fmt::format("{} {}", method_name(request_.method), url);
  if (too_long_) return error(Code::kUnavailable, "{}: the answer is longer than what was asked for", action);
  if (outcome == CURLE_ABORTED_BY_CALLBACK) return error(Code::kUnavailable, "{}: the store is being closed", action);
  if (outcome == CURLE_OPERATION_TIMEDOUT) return error(Code::kTimeout, "{}: {}", action, what);
  if (outcome == CURLE_URL_MALFORMAT || outcome == CURLE_UNSUPPORTED_PROTOCOL)
    return error(Code::kInvalid, "{}: {}", action, what);
  if (is_tls_failure(outcome))
    return error(Code::kInvalid, "{}: {}; {}", action, what, certificate_advice(outcome, verified()));
  return error(Code::kUnavailable, "{}: {}", action, what);
}

long CurlTransfer::verified() const {
  long verified = 0;
  CHECK(curl_easy_getinfo(handle_, CURLINFO_SSL_VERIFYRESULT, &verified) == CURLE_OK);
  return verified;
}

size_t CurlTransfer::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) reply_.headers.clear();  // what came before was a "100 Continue"
  size_t colon = line.find(':');
  if (colon != std::string_view::npos && reply_.headers.size() < limits::kStoreReplyHeaders)
    reply_.headers.push_back(
        {std::string(without_blanks(line.substr(0, colon))), std::string(without_blanks(line.substr(colon + 1)))});
  return line.size();
}

bool CurlTransfer::answers_into() const {
  long status = 0;
  CHECK(curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
  return !request_.into.empty() && (status == 200 || status == 206);
}

size_t CurlTransfer::take_body(std::string_view bytes) {
  if (answers_into()) {
    too_long_ = bytes.size() > request_.into.size() - reply_.into_bytes;
    if (too_long_) return 0;
    std::memcpy(request_.into.data() + reply_.into_bytes, bytes.data(), bytes.size());
    reply_.into_bytes += bytes.size();
    return bytes.size();
  }
  too_long_ = bytes.size() > limits::kStoreReplyBytes - reply_.body.size();
  if (too_long_) return 0;
  reply_.body += bytes;
  return bytes.size();
}

size_t CurlTransfer::give_body(char* buffer, size_t room) {
  size_t count = std::min(room, request_.body.size() - sent_bytes_);
  std::memcpy(buffer, request_.body.data() + sent_bytes_, count);
  sent_bytes_ += count;
  return count;
}

size_t CurlTransfer::on_header(char* bytes, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_header({bytes, size * count});
}

size_t CurlTransfer::on_body(char* bytes, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_body({bytes, size * count});
}

size_t CurlTransfer::on_upload(char* buffer, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->give_body(buffer, size * count);
}

int CurlTransfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto* transfer = static_cast<CurlTransfer*>(self);
  // The answer to a whole body was lost, and not the way to the server: it may have been done, which callers find out
  // before they send all of it again.
  if (transfer->sent_bytes_ == transfer->request_.body.size()) return CURL_SEEKFUNC_FAIL;
  if (origin != SEEK_SET || offset < 0 || static_cast<size_t>(offset) > transfer->request_.body.size())
    return CURL_SEEKFUNC_FAIL;
  transfer->sent_bytes_ = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

}  // namespace weir::object
