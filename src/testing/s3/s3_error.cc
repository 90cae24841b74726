#include "testing/s3/s3_error.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace weir::testing::s3 {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};

}  // namespace

std::string xml_escape(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    bool special = false;
    for (const auto& [entity, meaning] : kEntities) {
      if (byte != meaning) continue;
      escaped += entity;
      special = true;
    }
    if (!special) escaped += byte;
  }
  return escaped;
}

std::string xml_unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    size_t taken = 1;
    char byte = text.front();
    for (const auto& [entity, meaning] : kEntities) {
      if (!text.starts_with(entity)) continue;
      taken = entity.size();
      byte = meaning;
    }
    plain += byte;
    text.remove_prefix(taken);
  }
  return plain;
}

std::string error_xml(const S3Error& error, std::string_view resource) {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{}<Resource>{}</Resource>"
      "<RequestId>0000000000000000</RequestId></Error>",
      error.code, xml_escape(error.message), error.detail, xml_escape(resource));
}

Response error_response(const S3Error& error, std::string_view resource) {
  Response response;
  response.status = error.status;
  response.headers = {{"Content-Type", "application/xml"}};
  response.body = body_of(error_xml(error, resource));
  return response;
}

}  // namespace weir::testing::s3
