#pragma once

#include <string>
#include <string_view>

#include "testing/s3/message.h"

namespace weir::testing::s3 {

/// An error as S3 tells it: "NoSuchKey" with its HTTP status and a sentence.
struct S3Error {
  int status = 500;
  std::string code;
  std::string message;
  /// Further elements of the XML, such as "<Region>eu-west-1</Region>".
  std::string detail;
};

std::string xml_escape(std::string_view text);
/// Text with the five named entities of XML put back.
std::string xml_unescape(std::string_view text);
std::string error_xml(const S3Error& error, std::string_view resource);
Response error_response(const S3Error& error, std::string_view resource);

}  // namespace weir::testing::s3
