/* The cheapest program there is: the entrypoint of every measured container, and the yardstick of `state`. */
int main(void)
{
    return 0;
}
