/* Host stand-in: see shim.h. */
#include <string.h>
