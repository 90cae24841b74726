#include "object/s3/xml.h"

#include <expat.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace weir::object {

namespace {

struct FreeParser {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

/// Builds the tree as libexpat meets its parts.
class Builder {
 public:
  explicit Builder(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &on_start, &on_end);
    XML_SetCharacterDataHandler(parser, &on_text);
    XML_SetStartDoctypeDeclHandler(parser, &on_doctype);
  }

  XmlElement take_root() { return std::move(root_); }

 private:
  static Builder& self(void* builder) { return *static_cast<Builder*>(builder); }

  static void on_start(void* builder, const XML_Char* name, const XML_Char**) {
    std::string_view whole = name;
    self(builder).start(whole.substr(whole.find(':') + 1));
  }
  static void on_end(void* builder, const XML_Char*) { self(builder).open_.pop_back(); }
  static void on_text(void* builder, const XML_Char* bytes, int length) {
    Builder& builder_itself = self(builder);
    if (!builder_itself.open_.empty()) builder_itself.open_.back().text->append(bytes, static_cast<size_t>(length));
  }
  static void on_doctype(void* builder, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    XML_StopParser(self(builder).parser_, XML_FALSE);
  }

  void start(std::string_view name) {
    // The end of this element may still be told after the stop, so it is opened all the same.
    if (open_.size() >= limits::kStoreXmlDepth || ++elements_ > limits::kStoreXmlElements)
      XML_StopParser(parser_, XML_FALSE);
    XmlElement* element = &root_;
    if (!open_.empty()) element = &open_.back().element->children.emplace_back();
    element->name = name;
    open_.push_back({element, &element->text});
  }

  struct Open {
    XmlElement* element;  // its siblings come only after it has ended, so it does not move
    std::string* text;
  };

  XML_Parser parser_;
  XmlElement root_;
  std::vector<Open> open_;
  size_t elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
  auto found =
      std::find_if(children.begin(), children.end(), [&](const XmlElement& one) { return one.name == wanted; });
  return found == children.end() ? nullptr : &*found;
}

std::string_view XmlElement::child_text(std::string_view wanted) const {
  const XmlElement* found = child(wanted);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view text) {
  if (text.size() > limits::kStoreReplyBytes) return error(Code::kCorrupt, "XML of {} bytes is too long", text.size());
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser> parser(XML_ParserCreate(nullptr));
  CHECK(parser != nullptr);
  Builder builder(parser.get());
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK)
    return error(Code::kCorrupt, "XML is broken at byte {}: {}", XML_GetCurrentByteIndex(parser.get()),
                 XML_ErrorString(XML_GetErrorCode(parser.get())));
  return builder.take_root();
}

}  // namespace weir::object
