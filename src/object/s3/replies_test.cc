#include "object/s3/replies.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "object/s3/xml.h"

namespace weir::object {
namespace {

std::string list_of(std::string_view inside) {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</ListBucketResult>",
      inside);
}

std::string object_of(std::string_view key) {
  return fmt::format(
      "<Contents><Key>{}</Key><LastModified>2013-05-24T00:00:00.250Z</LastModified><Size>7</Size>"
      "<ETag>&quot;x&quot;</ETag></Contents>",
      key);
}

TEST(S3Replies, ReadsAList) {
  auto list = decode_list(list_of("<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>" +
                                  object_of("a%2Fb+c%2B") + object_of("b")));
  ASSERT_TRUE(list) << list.error().what;
  ASSERT_EQ(list->objects.size(), 2u);
  EXPECT_EQ(list->objects[0].name, "a/b c+");
  EXPECT_EQ(list->objects[0].info.size, 7u);
  EXPECT_EQ(list->objects[0].info.modified_ns, 1369353600'250'000'000);
  EXPECT_TRUE(list->more);
  EXPECT_EQ(decode_list(list_of("<IsTruncated>false</IsTruncated>" + object_of("a%2Fb")))->objects[0].name, "a%2Fb");
}

TEST(S3Replies, DoubtsAListThatMayNotBeWhole) {
  std::string whole = "<IsTruncated>false</IsTruncated>";
  for (const std::string& text :
       {std::string(), std::string("<html>"), list_of(""), list_of(whole).substr(0, 120),
        list_of(whole + object_of("b") + object_of("a")), list_of(whole + object_of("a") + object_of("a")),
        list_of(whole + "<Contents><Key>a</Key></Contents>"), std::string("<Error><Code>x</Code></Error>")}) {
    auto list = decode_list(text);
    ASSERT_FALSE(list) << text;
    EXPECT_EQ(list.error().code, Code::kCorrupt);
  }
}

TEST(S3Replies, BoundsHostileXml) {
  std::string deep;
  for (size_t i = 0; i < 2 * limits::kStoreXmlDepth; ++i) deep += "<a>";
  EXPECT_FALSE(parse_xml(deep));
  std::string many = "<r>";
  for (size_t i = 0; i < limits::kStoreXmlElements + 1; ++i) many += "<a/>";
  EXPECT_FALSE(parse_xml(many + "</r>"));
  EXPECT_FALSE(parse_xml("<!DOCTYPE r [<!ENTITY a \"aaaa\">]><r>&a;</r>"));
  EXPECT_TRUE(parse_xml("<r><a>1</a></r>"));
  EXPECT_FALSE(parse_xml(std::string(limits::kStoreReplyBytes + 1, ' ')));
}

TEST(S3Replies, ReadsAnErrorInOneLine) {
  HttpReply reply;
  reply.status = 403;
  reply.body = "<Error><Code>AccessDenied</Code><Message>no\nway</Message></Error>";
  EXPECT_EQ(decode_error(reply).code, "AccessDenied");
  EXPECT_EQ(decode_error(reply).message, "no way");
  reply.body = "<html>Bad gateway</html>";
  EXPECT_EQ(decode_error(reply).code, "");
  reply.headers = {{"X-Amz-Bucket-Region", "eu-west-1"}};
  EXPECT_EQ(decode_error(reply).region, "eu-west-1");
}

TEST(S3Replies, ReadsRangesThatMakeSense) {
  auto range = decode_content_range("bytes 2-9/100");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 2u);
  EXPECT_EQ(range->last, 9u);
  EXPECT_EQ(range->size, 100u);
  for (const char* text : {"", "bytes", "bytes 2-9/*", "bytes 9-2/100", "bytes 0-100/100", "items 0-1/2", "bytes -1/2",
                           "bytes 0-1/2x", "bytes 1/2-3", "bytes 0-99999999999999999999/100"})
    EXPECT_FALSE(decode_content_range(text)) << text;
}

TEST(S3Replies, ReadsTimes) {
  EXPECT_EQ(decode_iso_time_ns("2013-05-24T00:00:00Z"), 1369353600'000'000'000);
  EXPECT_EQ(decode_iso_time_ns("2013-05-24T00:00:00.5Z"), 1369353600'500'000'000);
  EXPECT_EQ(decode_http_time_ns("Fri, 24 May 2013 00:00:00 GMT"), 1369353600'000'000'000);
  for (const char* text : {"", "2013-05-24", "2013-05-24T00:00:00+01:00", "x"}) EXPECT_FALSE(decode_iso_time_ns(text));
  EXPECT_FALSE(decode_http_time_ns("soon"));
  // Farther away than ns can say: still the future, or the past.
  EXPECT_GT(decode_iso_time_ns("9999-12-31T23:59:59.999Z").value(), 9'000'000'000'000'000'000);
  EXPECT_LT(decode_iso_time_ns("1000-01-01T00:00:00Z").value(), -4'000'000'000'000'000'000);
  EXPECT_GT(decode_http_time_ns("Fri, 31 Dec 9999 23:59:59 GMT").value(), 9'000'000'000'000'000'000);
}

TEST(S3Replies, ReadsWhatWasNotDeleted) {
  auto failures = decode_delete_failures(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message>"
      "</Error></DeleteResult>");
  ASSERT_TRUE(failures);
  ASSERT_EQ(failures->size(), 1u);
  EXPECT_EQ((*failures)[0].key, "b");
  EXPECT_EQ((*failures)[0].code, "AccessDenied");
}

}  // namespace
}  // namespace weir::object
