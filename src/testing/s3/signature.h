#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "testing/s3/credential_table.h"
#include "testing/s3/message.h"
#include "testing/s3/s3_error.h"

namespace weir::testing::s3 {

/// AWS Signature Version 4 as a server checks it, from the request as it came and independent of any client:
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
struct Authorization {
  std::string access_key;
  std::string date;  // "20130524"
  std::string region;
  std::string service;
  std::vector<std::string> signed_headers;  // in the order in which they came
  std::string signature;                    // 64 hexadecimal digits
};

/// Nothing when the header's value has another form.
std::optional<Authorization> parse_authorization(std::string_view value);

/// The signature that the request should have. `payload` is what stands for the body: its SHA-256 in hexadecimal
/// digits, or UNSIGNED-PAYLOAD. Nothing when the path or the query cannot be decoded, or a signed header is not there.
std::optional<std::string> expected_signature(const Request& request, const Authorization& authorization,
                                              std::string_view secret_key, std::string_view time,
                                              std::string_view payload);

/// Who signed the request, or what is wrong with its signature, time, scope or token, as S3 says it. Checks all that
/// can be checked without the body. `now_seconds` is the server's time.
std::variant<Credential, S3Error> authenticate(const Request& request, const CredentialTable& credentials,
                                               std::string_view region, int64_t now_seconds);

}  // namespace weir::testing::s3
