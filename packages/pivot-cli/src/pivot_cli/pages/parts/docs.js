// The list of pages shows where the reader is.
const here = document.querySelector("nav [aria-current]"), list = document.querySelector("nav");
if (here) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 3;
