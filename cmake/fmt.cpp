// What the distribution's fmt keeps in its shared library, compiled from its own header: libfmt.so would bring in the
// shared libstdc++ again (cmake/archives.cmake).
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
template FMT_API auto detail::thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto detail::decimal_point_impl<char>(locale_ref) -> char;
FMT_END_NAMESPACE
